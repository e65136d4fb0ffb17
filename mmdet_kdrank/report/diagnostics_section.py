"""What the diagnostics hook saw, as plots."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from mmdet_kdrank.report.svg_figures import Line, Panel, plots
from mmdet_kdrank.runs.scalars import curve

Records = Sequence[Mapping[str, float]]


def diagnostics_section(records: Mapping[str, Records]) -> str:
    """Return the section about the diagnostics of runs; empty where the hook ran in none.

    Args:
        records: By run, what
            :func:`~mmdet_kdrank.diagnostics.journal.read_diagnostics` read.
    """
    names = {name for run in records.values() for record in run for name in record}
    prefixes = sorted(
        {match[1] for name in names if (match := re.fullmatch(r'((?:s\d+\.)?)tau', name))}
    )
    parts = [_head(prefix, names, records) for prefix in prefixes]
    return Markup('\n').join(parts)


def _head(prefix: str, names: set[str], records: Mapping[str, Records]) -> str:
    own = sorted(name[len(prefix) :] for name in names if name.startswith(prefix))

    def panel(title: str, pattern: str) -> Panel:
        """Everything whose name matches; its first group is what the legend calls it."""
        found = {n: match[1] for n in own if (match := re.fullmatch(pattern, n))}
        ordered = sorted(found, key=_natural)
        lines = {
            run: {found[name]: _line(rows, prefix + name) for name in ordered}
            for run, rows in records.items()
        }
        return Panel(title, lines)

    losses = [n.removesuffix('.foreground') for n in own if n.endswith('.foreground')]
    head = f'Stage {prefix[1:-1]}: ' if prefix else ''
    return Markup('\n').join(
        filter(
            None,
            [
                plots(
                    f'{head}Which rows the losses come from, weights included.',
                    [
                        panel(f'{loss}, by {what}', re.escape(loss) + pattern)
                        for loss in losses
                        for what, pattern in (
                            ('assignment', r'\.(foreground|background)'),
                            ('level', r'\.(level\d+)'),
                        )
                    ],
                ),
                plots(
                    f'{head}How alike student and teacher rank the classes of the chosen rows.',
                    [
                        panel("Kendall tau, by the teacher's score", r'tau\.score\.([\d.-]+)'),
                        panel("share of the teacher's k best classes", r'(top\d+)'),
                    ],
                ),
                plots(
                    f'{head}Gradients of the distillation losses at the class logits, beside the '
                    "detection losses': norm ratio, and cosine of the angle between them.",
                    [
                        panel('norm ratio', r'gradient\.(.+)\.ratio'),
                        panel('cosine', r'gradient\.(.+)\.cosine'),
                    ],
                ),
            ],
        )
    )


def _line(rows: Records, name: str) -> Line:
    return curve(list(rows), name)


def _natural(name: str) -> list:
    """Sorts by the numbers in a name, level10 behind level9 and 0.5 behind 0.25."""
    parts = re.split(r'(\d+(?:\.\d+)?)', name)
    return [float(part) if index % 2 else part for index, part in enumerate(parts)]
