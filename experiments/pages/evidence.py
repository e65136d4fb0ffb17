"""Draws the README's plot: why ranking can help, and whether it did."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

_TERMS = {'KL, T = 1': 'C0', 'rank': 'C3', 'KL + rank': 'black'}
_VARIANTS = {'alone': '0.6', 'kd': 'C0', 'rank': 'C3', 'kd-rank': 'black'}


def draw(claims: Mapping, several: Mapping[str, dict], path: Path) -> None:
    """Draw the gradient of the losses, and the mAP of the runs of several comparisons.

    Args:
        claims: Content of ``docs/reports/data/claims.json``.
        several: Contents of ``results.json`` by the title of their panels.
        path: Image file to write.
    """
    figure = Figure(figsize=(10, 2.7), layout='constrained')
    gradient_panel, *map_panels = figure.subplots(
        1, 1 + len(several), gridspec_kw={'width_ratios': [1.4] + [1] * len(several)}
    )
    record = next(claim for claim in claims['claims'] if claim['key'] == 'gradient')
    for term, colour in _TERMS.items():
        # By decade of the probability; those without a class are None.
        decades = record['data']['foreground']['terms'][term]['decades']
        points = [(10.0 ** -(n + 0.5), value) for n, value in enumerate(decades) if value]
        gradient_panel.plot(
            *zip(*points, strict=True), 'o-', markersize=3, color=colour, label=term
        )
    gradient_panel.set(
        xscale='log',
        yscale='log',
        xlabel="teacher's probability of a class",
        title='median |gradient| at its logit',
    )
    gradient_panel.invert_xaxis()
    gradient_panel.legend(fontsize=8)
    for axis, (title, results) in zip(map_panels, several.items(), strict=True):
        for column, (name, colour) in enumerate(_VARIANTS.items()):
            runs = [100 * run['mAP'] for run in results['variants'][name]['runs'].values()]
            axis.plot([column] * len(runs), runs, 'o', markersize=3, color=colour, alpha=0.5)
            axis.plot(column, sum(runs) / len(runs), '_', markersize=22, color=colour)
        axis.set(title=f'{title}, mAP by seed', xlim=(-0.6, len(_VARIANTS) - 0.4))
        axis.set_xticks(range(len(_VARIANTS)), _VARIANTS)
        axis.grid(axis='y', alpha=0.3)
    figure.savefig(path, dpi=110)
