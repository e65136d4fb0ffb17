"""Tables of a comparison in Markdown."""

from __future__ import annotations

from mmdet_kdrank.compare.run_samples import COMPARED
from mmdet_kdrank.files.markdown import markdown_table

_COLUMNS = (
    ('mAP', 'mAP', 100, 1),
    ('AP50', 'AP50', 100, 1),
    ('AP75', 'AP75', 100, 1),
    ('AP_s', 'APs', 100, 1),
    ('AP_m', 'APm', 100, 1),
    ('AP_l', 'APl', 100, 1),
    ('tau', 'τ', 1, 3),
    ('top1', 'top-1, %', 100, 1),
    ('ECE', 'ECE, %', 100, 1),
    ('seconds_per_iteration', 's/iteration', 1, 3),
    ('peak_memory_mib', 'memory, MiB', 1, 0),
    ('peak_cuda_memory_mib', 'GPU memory, MiB', 1, 0),
    ('iterations', 'iterations', 1, 0),
)
# Differences are smaller than what they are of, so that they are shown with one more digit.
_DIFFERENCES = tuple(
    (key, title, scale, digits + 1) for key, title, scale, digits in _COLUMNS if key in COMPARED
)
_UNKNOWN = '–'


def format_tables(results: dict) -> str:
    """Lay out the results of a comparison.

    Args:
        results: The content of ``results.json``.

    Returns:
        Variants, pairs, both intervals of the mAP, and AP by class.
    """
    done, planned = results['runs_done'], results['runs_planned']
    parts = [f'# {results["name"]}']
    if done < planned:
        parts.append(f'**Not finished: {done} of {planned} runs.**')
    parts += [*_variants(results), *_pairs(results), *_intervals(results), *_classes(results)]
    parts.append(format_origin(results))
    return '\n\n'.join(parts) + '\n'


def variant_table(results: dict) -> str:
    """Lay out the mean and the standard deviation of every measure: a row for each variant.

    Args:
        results: The content of ``results.json``; its teacher comes first.
    """
    summaries = {name: variant['summary'] for name, variant in results['variants'].items()}
    if results['teacher']:
        summaries = {'teacher': results['teacher']['summary'], **summaries}
    logged = {key for summary in summaries.values() for key in summary}
    shown = [column for column in _COLUMNS if column[0] in logged]
    rows = []
    for name, summary in summaries.items():
        count = summary['mAP']['n'] if 'mAP' in summary else 0
        cells = [mean_cell(summary.get(key), scale, digits) for key, _, scale, digits in shown]
        rows.append([name, count, *cells])
    header = ['variant', 'seeds', *(title for _, title, _, _ in shown)]
    return markdown_table(header, rows, numbers=True)


def pair_table(results: dict) -> str:
    """Lay out the differences with the quoted intervals: a row for each pair.

    Args:
        results: The content of ``results.json``.
    """
    rows = []
    for pair in results['pairs']:
        measures = pair['measures']
        cells = [
            difference_cell(measures.get(key), scale, digits)
            for key, _, scale, digits in _DIFFERENCES
        ]
        cells.insert(1, _holm(measures.get('mAP')))
        rows.append([f'{pair["variant"]} − {pair["reference"]}', len(pair['seeds']), *cells])
    first, *others = (title for _, title, _, _ in _DIFFERENCES)
    header = ['difference', 'seeds', first, "its p, Holm's", *others]
    return markdown_table(header, rows, numbers=True)


def format_origin(results: dict) -> str:
    """Write a paragraph about the dates, hardware, commits and versions of the runs.

    Args:
        results: The content of ``results.json``.
    """
    versions = ', '.join(
        f'{name} {" and ".join(numbers)}' for name, numbers in results['versions'].items()
    )
    first, last = (date[:16].replace('T', ' ') for date in results['dates'])
    resumed = results['started_again']
    note = f' Stopped and resumed: {resumed}.' if resumed else ''
    return (
        f'Runs evaluated from {first} to {last} UTC on {" and ".join(results["hardware"])}; '
        f'{versions}. Commits of the trainings: {", ".join(results["commits"])}.{note} '
        f'Seeds: {", ".join(map(str, results["seeds"]))}.'
    )


def _variants(results: dict) -> list[str]:
    legend = (
        'Mean ± standard deviation over the seeds, last checkpoints. AP in points, on all images '
        'of the test set. τ and top-1: agreement with the teacher in ranking the classes of the '
        'annotated boxes. ECE: expected calibration error of the class scores.'
    )
    reason = results['no_agreement']
    missing = [f'No τ and top-1: {reason}'] if reason else []
    return ['## Variants', variant_table(results), legend, *missing]


def _pairs(results: dict) -> list[str]:
    parts = ['## Paired differences', pair_table(results)]
    if any(len(pair['seeds']) > 1 for pair in results['pairs']):
        parts.append(
            'Mean difference between runs of the same seed, [95 % interval] and p-value, seeds and '
            "images both taken as drawn by chance. Holm's p, of the mAP, is adjusted for the "
            'number of pairs; the others are not.'
        )
    if any(len(pair['seeds']) < 2 for pair in results['pairs']):
        parts.append(
            'One seed shows no spread between seeds, so there is no interval: use two seeds at '
            'least, and better five or more.'
        )
    return parts


def _intervals(results: dict) -> list[str]:
    rows = []
    for pair in results['pairs']:
        intervals = pair['measures'].get('mAP', {}).get('intervals', {})
        if 'quoted' in intervals:
            cells = [_interval(intervals[kind], 100, 2) for kind in ('seeds', 'both')]
            rows.append([f'{pair["variant"]} − {pair["reference"]}', *cells])
    if not rows:
        return []
    header = ['mAP', 'over seeds', 'seeds + images']
    legend = (
        'Over seeds: paired t. Seeds + images: t interval with the variance of the seeds and that '
        'of a bootstrap over images. The table above quotes the wider one. '
        f'{results["bootstrap"]["resamples"]:,} resamples of {results["bootstrap"]["images"]:,} '
        'images.'
    )
    return ['## Intervals of the mAP', markdown_table(header, rows, numbers=True), legend]


def _classes(results: dict) -> list[str]:
    variants = results['variants'].items()
    by_class = {name: variant['per_class'] for name, variant in variants if variant['per_class']}
    rows = [
        [label, *(_number(values[label], 100, 1) for values in by_class.values())]
        for label, value in next(iter(by_class.values())).items()
        if value is not None
    ]
    table = markdown_table(['class', *by_class], rows, numbers=True)
    return ['## AP by class', table, 'Means over the seeds, in points.']


def mean_cell(value: dict | None, scale: float, digits: int) -> str:
    """Write a mean and, of several seeds, its standard deviation."""
    if value is None:
        return _UNKNOWN
    text = _number(value['mean'], scale, digits)
    return text if not value['sd'] else f'{text} ± {_number(value["sd"], scale, digits)}'


def difference_cell(measure: dict | None, scale: float, digits: int, p: bool = True) -> str:
    """Write a difference with its quoted interval and, where wanted, its p-value."""
    if measure is None:
        return _UNKNOWN
    text = _signed(measure['difference'], scale, digits)
    quoted = _quoted(measure)
    return f'{text} {_interval(quoted, scale, digits, p)}' if quoted else text


def _holm(measure: dict | None) -> str:
    quoted = _quoted(measure)
    return f'{quoted["p_holm"]:.2g}' if quoted else _UNKNOWN


def _quoted(measure: dict | None) -> dict | None:
    return (measure or {}).get('intervals', {}).get('quoted')


def _interval(interval: dict, scale: float, digits: int, p: bool = True) -> str:
    ends = (_signed(interval[end], scale, digits) for end in ('low', 'high'))
    value = '< 0.001' if interval['p'] < 0.001 else f'= {interval["p"]:.3f}'
    return f'[{", ".join(ends)}]' + (f', p {value}' if p else '')


def _signed(value: float, scale: float, digits: int) -> str:
    return f'{scale * value:+.{digits}f}'.replace('-', '−')


def _number(value: float | None, scale: float, digits: int) -> str:
    return _UNKNOWN if value is None else f'{scale * value:.{digits}f}'.replace('-', '−')
