"""The sections of the page: results, curves, diagnostics, settings and provenance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from mmdet_kdrank.checkpoints.detector_weights import checkpoint_meta
from mmdet_kdrank.checkpoints.loading import load_checkpoint
from mmdet_kdrank.report.html import BLOCKS
from mmdet_kdrank.report.svg_figures import Panel, plots
from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.provenance import commit, provenance
from mmdet_kdrank.runs.scalars import curve, seconds_per_iteration

Records = list[dict[str, float]]
_VALIDATION = {'coco/bbox_mAP': 'mAP', 'coco/bbox_mAP_50': 'AP50', 'coco/bbox_mAP_75': 'AP75'}
_SETTINGS = (
    *('model.type', 'model.teacher.config', 'model.teacher.checkpoint'),
    *('model.distill_losses', 'model.distill_features', 'model.selector', 'model.channels'),
    *('train_cfg', 'train_dataloader.batch_size', 'optim_wrapper', 'randomness'),
)


def results_section(scalars: Mapping[str, Records]) -> str:
    """Return the table of the last validation of each run.

    Args:
        scalars: Records of :func:`~mmdet_kdrank.runs.scalars.read_scalars` by run.
    """
    keys = dict.fromkeys(
        key for records in scalars.values() for record in records for key in record if '/' in key
    )
    measures = [key for key in keys if not key.startswith('diagnostics/')]
    rows = [[key, *(_last(records, key) for records in scalars.values())] for key in measures]
    steps = [max((rec['step'] for rec in records), default=0) for records in scalars.values()]
    seconds = [seconds_per_iteration(records) for records in scalars.values()]
    rows.append(['iterations', *(f'{step:g}' for step in steps)])
    rows.append(['seconds an iteration', *(f'{time:.3f}' for time in seconds)])
    note = (
        'One run each: a difference of a point or two between two seeds of one config is usual.'
        if len(scalars) > 1
        else 'One run: another seed may differ by a point or two.'
    )
    caption = 'The last validation, as fractions of 1, and the training'
    return BLOCKS.table(caption, ['measure', *scalars], rows) + BLOCKS.paragraph(note)


def curves_section(scalars: Mapping[str, Records], distilled: set[str]) -> str:
    """Plot validation, losses and agreement over the iterations.

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
        'validation': _VALIDATION,
        'loss, the sum of all': {'loss': ''},
        'detection losses': {key: key for key in losses if key not in taught},
        'distillation losses': {key: key for key in taught},
        'agreement with the teacher, in training': {
            key: key.replace('distill_', '')
            for key in dict.fromkeys(k for rs in scalars.values() for r in rs for k in r)
            if key.endswith(('distill_tau', 'distill_top1'))
        },
    }
    panels = [_panel(title, labels, scalars) for title, labels in shown.items()]
    drawn = plots('What the log shows, over the iterations.', panels)
    return drawn or BLOCKS.paragraph('The log holds no scalars.')


def _panel(title: str, labels: Mapping[str, str], runs: Mapping[str, Records]) -> Panel:
    """Plot quantities by the name in the log, under the label of each."""
    lines = {
        run: {label: curve(records, key) for key, label in labels.items()}
        for run, records in runs.items()
    }
    return Panel(title, lines)


def _last(records: Records, key: str) -> str:
    values = curve(records, key)[1]
    # COCO's -1: the data set has no object of that size.
    return f'{values[-1]:.3f}' if values and values[-1] != -1 else ''


def diagnostics_section(records: Mapping[str, Records]) -> str:
    """Return the section about the diagnostics of runs; empty where the hook ran in none.

    Args:
        records: Those of :func:`~mmdet_kdrank.diagnostics.journal.read_diagnostics` by run.
    """
    names = {name for run in records.values() for record in run for name in record}
    prefixes = sorted(
        {match[1] for name in names if (match := re.fullmatch(r'((?:s\d+\.)?)tau', name))}
    )
    return Markup('\n').join(_stage(prefix, names, records) for prefix in prefixes)


def _stage(prefix: str, names: set[str], records: Mapping[str, Records]) -> str:
    own = sorted(name[len(prefix) :] for name in names if name.startswith(prefix))

    def panel(title: str, pattern: str) -> Panel:
        """Plot everything whose name matches; the legend shows the pattern's first group."""
        labels = {n: match[1] for n in own if (match := re.fullmatch(pattern, n))}
        return _panel(title, {prefix + n: labels[n] for n in sorted(labels, key=_natural)}, records)

    losses = [name.removesuffix('.foreground') for name in own if name.endswith('.foreground')]
    figures = {
        'Which rows the losses come from, weights included.': [
            panel(f'{loss}, by {division}', re.escape(loss) + pattern)
            for loss in losses
            for division, pattern in (
                ('assignment', r'\.(foreground|background)'),
                ('level', r'\.(level\d+)'),
            )
        ],
        'How alike student and teacher rank the classes of the chosen rows.': [
            panel("Kendall tau, by the teacher's score", r'tau\.score\.([\d.-]+)'),
            panel("share of the teacher's k best classes", r'(top\d+)'),
        ],
        'Gradients of the distillation losses at the class logits, against those of the detection '
        'losses: norm ratio, and cosine of the angle between them.': [
            panel('norm ratio', r'gradient\.(.+)\.ratio'),
            panel('cosine', r'gradient\.(.+)\.cosine'),
        ],
    }
    stage = f'Stage {prefix[1:-1]}: ' if prefix else ''
    drawn = (plots(stage + caption, panels) for caption, panels in figures.items())
    return Markup('\n').join(filter(None, drawn))


def _natural(name: str) -> list:
    """Sort by the numbers in a name, level10 behind level9 and 0.5 behind 0.25."""
    parts = re.split(r'(\d+(?:\.\d+)?)', name)
    return [float(part) if index % 2 else part for index, part in enumerate(parts)]


def settings_section(runs: Mapping[str, FinishedRun]) -> str:
    """Return the settings that matter most, and the whole config of each run."""
    values = {name: [_at(run.config, key) for key in _SETTINGS] for name, run in runs.items()}
    rows = [
        [key, *('' if value is None else str(value) for value in row)]
        for key, *row in zip(_SETTINGS, *values.values(), strict=True)
        if any(value is not None for value in row)
    ]
    configs = [
        BLOCKS.folded(f'The whole config of {name}', run.config_file.read_text(encoding='utf-8'))
        for name, run in runs.items()
    ]
    caption = 'What the configs set'
    return Markup('').join([BLOCKS.table(caption, ['setting', *runs], rows), *configs])


def provenance_section(runs: Mapping[str, FinishedRun]) -> str:
    """Return the table of the page's sources, date, hardware and versions."""
    rows = []
    for name, run in runs.items():
        meta = checkpoint_meta(load_checkpoint(run.checkpoint))
        rows += [
            [f'{name}: checkpoint', str(run.checkpoint)],
            [f'{name}: written', str(meta.get('time', ''))],
            [f'{name}: seed', str(meta.get('seed', ''))],
        ]
    made = provenance()
    rows += [
        ['page made', made['date']],
        ['page made on', made['hardware']],
        ['commit', commit() or 'no checkout'],
        *([package, version] for package, version in made['versions'].items()),
    ]
    return BLOCKS.table('Where this comes from', ['', ''], rows)


def _at(config: Any, key: str) -> Any:
    for part in key.split('.'):
        config = config.get(part) if isinstance(config, Mapping) else getattr(config, part, None)
        if config is None:
            return None
    return config
