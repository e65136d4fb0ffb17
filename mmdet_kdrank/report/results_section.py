"""What a run came to, and on the way there."""

from __future__ import annotations

from collections.abc import Mapping

from mmdet_kdrank.report.html import BLOCKS
from mmdet_kdrank.report.svg_figures import Panel, plots
from mmdet_kdrank.runs.scalars import curve, seconds_per_iteration

Records = list[dict[str, float]]
_BEST = (('coco/bbox_mAP', 'mAP'), ('coco/bbox_mAP_50', 'AP50'), ('coco/bbox_mAP_75', 'AP75'))


def results_section(scalars: Mapping[str, Records]) -> str:
    """Return the table of the last validation of each run.

    Args:
        scalars: By run, what :func:`~mmdet_kdrank.runs.scalars.read_scalars` read.
    """
    keys = dict.fromkeys(
        key for records in scalars.values() for record in records for key in record if '/' in key
    )
    measures = [key for key in keys if not key.startswith('diagnostics/')]
    last = {
        name: {key: _last(records, key) for key in measures} for name, records in scalars.items()
    }
    rows = [[key, *(_shown(last[name][key]) for name in scalars)] for key in measures]
    rows += [
        [
            'iterations',
            *(f'{max((r["step"] for r in rs), default=0):g}' for rs in scalars.values()),
        ],
        ['seconds an iteration', *(f'{seconds_per_iteration(rs):.3f}' for rs in scalars.values())],
    ]
    note = (
        'One run each: a difference of a point or two between two seeds of one config is usual.'
        if len(scalars) > 1
        else 'One run: another seed may differ by a point or two.'
    )
    caption = 'The last validation, as fractions of 1, and the training'
    return BLOCKS.table(caption, ['measure', *scalars], rows) + BLOCKS.paragraph(note)


def curves_section(scalars: Mapping[str, Records], distilled: set[str]) -> str:
    """Plot of validation, losses and agreement over the iterations.

    Args:
        scalars: As for :func:`results_section`.
        distilled: Names of the distillation losses, without a stage's prefix.
    """
    losses = dict.fromkeys(
        key
        for records in scalars.values()
        for record in records
        for key in record
        if 'loss' in key and '/' not in key and key != 'loss' and 'distill_factor' not in key
    )
    taught = [key for key in losses if key.split('.')[-1] in distilled]
    shown = {
        'validation': dict(_BEST),
        'loss, the sum of all': {'loss': ''},
        'detection losses': {key: key for key in losses if key not in taught},
        'distillation losses': {key: key for key in taught},
        'agreement with the teacher, in training': {
            key: key.replace('distill_', '')
            for key in dict.fromkeys(k for rs in scalars.values() for r in rs for k in r)
            if key.endswith(('distill_tau', 'distill_top1'))
        },
    }
    panels = [
        Panel(
            title,
            {
                run: {name: curve(records, key) for key, name in keys.items()}
                for run, records in scalars.items()
            },
        )
        for title, keys in shown.items()
    ]
    drawn = plots('What the log shows, over the iterations.', panels)
    return drawn or BLOCKS.paragraph('The log holds no scalars.')


def _last(records: Records, key: str) -> float | None:
    values = curve(records, key)[1]
    return values[-1] if values else None


def _shown(value: float | None) -> str:
    # COCO's -1: the data set has no object of that size.
    return '' if value is None or value == -1 else f'{value:.3f}'
