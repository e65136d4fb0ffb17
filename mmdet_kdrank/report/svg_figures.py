"""Line plots for the page, drawn for light and for dark screens."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdet_kdrank.report.html import BLOCKS, data_uri

Line = tuple[Sequence[float], Sequence[float]]

_SHARED = {
    'svg.fonttype': 'none',
    'svg.hashsalt': 'report',  # names inside the file are the same each time
    'font.size': 10,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'figure.facecolor': 'none',
    'axes.facecolor': 'none',
    'legend.frameon': False,
}
# Colours apart for all kinds of colour vision, and 3 : 1 or more against their ground.
_THEMES = {
    'light': ('#1c2128', ('#0757ad', '#c2410c', '#0f766e', '#9333ea', '#7a5c00', '#be185d')),
    'dark': ('#e6eaee', ('#7ab8ff', '#ff9d5c', '#5fd4c4', '#cba6ff', '#e3c34f', '#ff8fb8')),
}
_DASHES = ('-', '--')


@dataclass(frozen=True)
class Panel:
    """A plot over iterations.

    Args:
        title: Above it.
        lines: Iterations and values by run, then by their label in the legend. The second run's
            are dashed.
    """

    title: str
    lines: Mapping[str, Mapping[str, Line]]

    def __bool__(self) -> bool:
        return any(steps for run in self.lines.values() for steps, _ in run.values())


def plots(caption: str, panels: Sequence[Panel]) -> str:
    """Draw panels side by side, without those that have no line. Empty if none has one."""
    images = [
        BLOCKS.image(
            _described(panel), *(_svg(panel, *_THEMES[theme]) for theme in ('light', 'dark'))
        )
        for panel in panels
        if panel
    ]
    return BLOCKS.figure(caption, images) if images else ''


def _svg(panel: Panel, ink: str, colours: Sequence[str]) -> str:
    inks = ('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color', 'ytick.color')
    cycle = matplotlib.cycler(color=colours)
    style = {**_SHARED, **dict.fromkeys(inks, ink), 'axes.prop_cycle': cycle}
    with matplotlib.rc_context(style):
        drawing = Figure(figsize=(5.2, 3.4), layout='constrained')
        _draw(drawing.subplots(), panel)
        content = io.BytesIO()
        drawing.savefig(content, format='svg', metadata={'Date': None})
    return data_uri(content.getvalue(), 'image/svg+xml')


def _draw(axis: Axes, panel: Panel) -> None:
    names = list(dict.fromkeys(name for run in panel.lines.values() for name in run))
    for dash, (run, lines) in zip(_DASHES, panel.lines.items(), strict=False):
        for name, (steps, values) in lines.items():
            if not steps:
                continue
            label = ', '.join(part for part in (run if len(panel.lines) > 1 else '', name) if part)
            marker = 'o' if len(steps) < 12 else None
            colour = f'C{names.index(name)}'
            axis.plot(steps, values, dash, color=colour, marker=marker, markersize=4, label=label)
    axis.set(title=panel.title, xlabel='iteration')
    axis.grid(alpha=0.25)
    if axis.get_legend_handles_labels()[1] not in ([], ['']):
        axis.legend(fontsize=8)


def _described(panel: Panel) -> str:
    """Describe the plot in words: the first and the last value of each line."""
    ends = [
        f'{" ".join(filter(None, (run, name)))} from {values[0]:.3g} to {values[-1]:.3g}'
        for run, lines in panel.lines.items()
        for name, (steps, values) in lines.items()
        if steps
    ]
    return f'{panel.title}: {"; ".join(ends)}.'
