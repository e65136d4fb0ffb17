"""How a run was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from mmdet_kdrank.checkpoints.detector_weights import checkpoint_meta
from mmdet_kdrank.checkpoints.loading import load_checkpoint
from mmdet_kdrank.report.html import BLOCKS
from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.provenance import commit, provenance

_KEYS = (
    'model.type',
    'model.teacher.config',
    'model.teacher.checkpoint',
    'model.distill_losses',
    'model.distill_features',
    'model.selector',
    'model.channels',
    'train_cfg',
    'train_dataloader.batch_size',
    'optim_wrapper',
    'randomness',
)


def settings_section(runs: Mapping[str, FinishedRun]) -> str:
    """Return the settings that matter most, and the whole config of each run."""
    values = {name: [_at(run.config, key) for key in _KEYS] for name, run in runs.items()}
    rows = [
        [key, *('' if each is None else str(each) for each in row)]
        for key, *row in zip(_KEYS, *values.values(), strict=True)
        if any(each is not None for each in row)
    ]
    configs = [
        BLOCKS.folded(f'The whole config of {name}', run.config_file.read_text(encoding='utf-8'))
        for name, run in runs.items()
    ]
    caption = 'What the configs set'
    return Markup('').join([BLOCKS.table(caption, ['setting', *runs], rows), *configs])


def provenance_section(runs: Mapping[str, FinishedRun]) -> str:
    """Which files the page was made from, when, and with what."""
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
