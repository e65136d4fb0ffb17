"""The tables of the page that are more than a list of numbers."""

from __future__ import annotations

from collections.abc import Callable

from experiments.claims.scale import at_ends
from mmdet_kdrank.files.markdown import markdown_table


def cell(value: float) -> str:
    """A number in two digits or three.

    Example:
        >>> cell(0.0), cell(0.1234), cell(12.34), cell(1.23e-9), cell(45678.9)
        ('0', '0.123', '12.3', '1.2e-09', '4.6e+04')
    """
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f'{value:.3g}'
    return f'{value:.1e}'


def _gradient(data: dict) -> str:
    names = list(next(iter(data.values()))['terms'])
    return 'Gradient per unlikely class (1: fair) and slope of log gradient against log p.\n\n' + (
        markdown_table(
            [
                'loss',
                *(f'{name} ({cell(part["unlikely"])} unlikely)' for name, part in data.items()),
            ],
            [
                [
                    name,
                    *(
                        f'{cell(measured["terms"][name]["share"])}, '
                        f'{cell(measured["terms"][name]["slope"])}'
                        for measured in data.values()
                    ),
                ]
                for name in names
            ],
        )
    )


def _rebalance(data: dict) -> str:
    names = list(next(iter(data.values()))['cosine with t - s'])
    return (
        'How far descent points from the student to the teacher on the unlikely classes (mean '
        'cosine), and the same where the student is near.\n\n'
        + markdown_table(
            ['loss', *data],
            [
                [
                    name,
                    *(', '.join(map(cell, d['cosine with t - s'][name])) for d in data.values()),
                ]
                for name in names
            ],
        )
    )


def _counterexamples(data: dict) -> str:
    cases = data['cases']
    names = list(next(iter(cases.values())))
    first = markdown_table(
        ['mean gradient', *cases],
        [[name, *(cell(case[name]) for case in cases.values())] for name in names],
    )
    sets = data['sets']
    second = markdown_table(
        ['share of', *sets],
        [
            [key, *(cell(measured[key]) for measured in sets.values())]
            for key in ('misordered pairs', 'of these by more than 5')
        ]
        + [
            [f'unlikely classes with less gradient than from KL: {name}']
            + [cell(measured['less than KL'][name]) for measured in sets.values()]
            for name in names[1:]
        ],
    )
    return f'{_CASES}\n\n{first}\n\nHow often that happens:\n\n{second}'


_CASES = (
    'Clustered: 78 of 81 classes close together at p around 1e-9, the student 0.1 off. Isolated: '
    'one class 22 below the two others, 0.1 too high. Misordered: two classes of four, the wrong '
    'way round by 10.'
)


def _scale(data: dict) -> str:
    sides = [(name, side) for name, measured in data.items() for side in measured]
    return (
        'Logits x 1/4 and x 4: the lower cosine with the gradient at x 1, and the larger length of '
        'the gradient over the smaller.\n\n'
        + markdown_table(
            ['loss', *(f'{name}, {side}' for name, side in sides)],
            [
                [
                    term,
                    *(
                        ', '.join(map(cell, at_ends(data[name][side][term])))
                        for name, side in sides
                    ),
                ]
                for term in next(iter(data.values()))['student']
            ],
        )
    )


def _optima(data: dict) -> str:
    return (
        'Share of the runs that end at the order of the teacher, its distribution, its logits; and '
        'the gradient at s = t over that at the start.\n\n'
        + markdown_table(
            ['loss', *data],
            [
                [
                    name,
                    *(
                        ', '.join(
                            cell(measured['terms'][name][goal])
                            for goal in ('order', 'distribution', 'values', 'residual')
                        )
                        for measured in data.values()
                    ),
                ]
                for name in next(iter(data.values()))['terms']
            ],
        )
    )


def _steepness(data: dict) -> str:
    name, rows = next(iter(data.items()))
    columns = [column for column in rows[0] if column != 'steepness']
    return f'On {name}:\n\n' + markdown_table(
        ['k', *columns],
        [[f'{row["steepness"]:g}', *(cell(row[column]) for column in columns)] for row in rows],
    )


TABLES: dict[str, Callable[[dict], str]] = {
    'gradient': _gradient,
    'rebalance': _rebalance,
    'counterexamples': _counterexamples,
    'scale': _scale,
    'optima': _optima,
    'steepness': _steepness,
}
"""By the key of the claim."""
