"""Which configs a run stands for, and in what order to run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from experiments.survey.configs import StockConfig
from experiments.survey.lean import lean_model
from mmdet_kdrank.files.fingerprint import fingerprint


@dataclass(frozen=True)
class Run:
    """One attempt, and the configs whose models are the same in all that it touches.

    Args:
        model: As :func:`lean_model` returns it.
        imports: Modules to import first.
        configs: Names of the configs; the first one names the run.
    """

    model: dict
    imports: tuple[str, ...]
    configs: list[str]

    @property
    def key(self) -> str:
        """Digest of the model."""
        return _digest(self.model, self.imports)

    @property
    def kind(self) -> tuple[str, str, str]:
        """Types of the detector, its class head and the head's class loss."""
        return (self.model['type'], *head_of(self.model))


def runs_of(configs: Iterable[StockConfig]) -> list[Run]:
    """Group configs by their models.

    Args:
        configs: Those with a model are taken.

    Returns:
        One of each kind first, the smallest, so that a survey cut short has seen all.
    """
    runs: dict[str, Run] = {}
    for config in configs:
        if config.model is not None:
            model = lean_model(config.model)
            run = runs.setdefault(_digest(model, config.imports), Run(model, config.imports, []))
            run.configs.append(config.name)
    seen: dict[tuple, int] = {}
    ranks = {}
    for run in sorted(runs.values(), key=lambda run: (_depth(run.model), run.configs)):
        ranks[run.key] = seen[run.kind] = seen.get(run.kind, -1) + 1
    return sorted(runs.values(), key=lambda run: (ranks[run.key] > 0, run.configs))


def head_of(model: dict) -> tuple[str, str]:
    """Types of a model's class head and of that head's class loss, as far as it names them."""
    roi_head = model.get('roi_head') or {}
    head = roi_head.get('bbox_head') or model.get('bbox_head') or model.get('rpn_head') or {}
    if isinstance(head, (list, tuple)):
        head = head[0]
    names = [config['type'] for config in (roi_head, head) if 'type' in config]
    loss = head.get('loss_cls') or {}
    return ' / '.join(names), loss.get('type', '')


def _digest(*values: object) -> str:
    return fingerprint(json.dumps(values, sort_keys=True, default=str))


def _depth(model: dict) -> float:
    depth = (model.get('backbone') or {}).get('depth')
    return float(depth) if isinstance(depth, int) else 50.0
