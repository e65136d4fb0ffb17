"""Claim: the ranking loss changes neither the other loss nor the network."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from torch import Tensor, nn

from experiments.claims.claim import Check, Claim, number
from experiments.claims.quiet import quiet
from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes
from mmdet_kdrank.random_states import kept_random_states

_CONFIG = 'faster-rcnn_r18w32-r18w16_kd-rank_shapes.py'
_SPEC = ShapesSpec(num_train=2, num_val=2)


def step(config: Config, batch: dict, entries: tuple[str, ...], seed: int = 0) -> dict:
    """One forward pass of a distilling detector, in training, and what it is made of.

    Args:
        config: A distillation, whose teacher's checkpoint exists.
        batch: Of its loader.
        entries: Those of its ``distill_losses`` that are kept.
        seed: Of the weights, and of the sampling.

    Returns:
        ``losses`` and ``outputs`` (tensors by name), ``keys`` (of its state) and ``parameters``
        (their number).
    """
    settings = ConfigDict(config.model)
    settings.distill_losses = {name: settings.distill_losses[name] for name in entries}
    torch.manual_seed(seed)
    model = MODELS.build(settings)
    model.init_weights()
    model.train()
    torch.manual_seed(seed)
    data = model.data_preprocessor(batch, training=True)
    with torch.no_grad():
        losses = model(**data, mode='loss')
        outputs = model.eval()(**data, mode='tensor')
    return {
        'losses': {name: value for name, value in losses.items() if name != 'loss_rank'},
        'outputs': dict(enumerate(_tensors(outputs))),
        'keys': list(model.state_dict()),
        'parameters': sum(parameter.numel() for parameter in model.parameters()),
    }


def claim(root: Path) -> Claim:
    """Compare a distilling detector with the ranking loss and without it.

    Args:
        root: Checkout with ``configs/``.
    """
    register_all_modules(init_default_scope=True)
    with tempfile.TemporaryDirectory() as folder, kept_random_states(), quiet():
        config = Config.fromfile(root / 'configs' / 'shapes' / _CONFIG)
        write_shapes(Path(folder) / 'shapes', _SPEC)
        config.val_dataloader.dataset.data_root = f'{folder}/shapes/'
        batch = next(iter(Runner.build_dataloader(config.val_dataloader)))
        teacher = Config.fromfile(
            root / 'configs' / 'shapes' / 'faster-rcnn_r18w32_shapes.py'
        ).model
        config.model.teacher = dict(
            config=teacher, checkpoint=_random_weights(teacher, Path(folder) / 'teacher.pth')
        )
        alone = step(config, batch, ('loss_kd',))
        both = step(config, batch, ('loss_kd', 'loss_rank'))
    checks = [
        Check(
            'loss_kd with rank less without, absolute',
            float((both['losses']['loss_kd'] - alone['losses']['loss_kd']).abs()),
            '<=',
            0,
        ),
        Check(
            "everything else in the log, the detector's own losses among it, largest difference",
            largest_gap(alone['losses'], both['losses']),
            '<=',
            0,
        ),
        Check(
            'outputs of the network, largest difference',
            largest_gap(alone['outputs'], both['outputs']),
            '<=',
            0,
        ),
        Check(
            'weights that only one of the two has',
            len(set(alone['keys']) ^ set(both['keys'])),
            '<=',
            0,
        ),
    ]
    return Claim(
        'plug_and_play',
        'The ranking loss is plug and play: it changes neither the other distillation loss nor '
        'the network.',
        'abstract of arXiv 2409.17823',
        checks,
        'At one step, with the same weights. From the second step on everything differs, since '
        'the weights have learnt something else; that is what the loss is for.',
        {
            'loss_kd': number(alone['losses']['loss_kd']),
            'parameters': both['parameters'],
            'config': f'configs/shapes/{_CONFIG}, random weights',
        },
    )


def largest_gap(one: dict, other: dict) -> float:
    """Largest difference between the tensors of two dicts; infinite if their names differ."""
    if one.keys() != other.keys():
        return float('inf')
    pairs = [
        pair
        for name, value in one.items()
        for pair in zip(_tensors(value), _tensors(other[name]), strict=True)
    ]
    return max(float((left.double() - right.double()).abs().max()) for left, right in pairs)


def _random_weights(model: dict, path: Path) -> str:
    torch.manual_seed(1)
    teacher: nn.Module = MODELS.build(ConfigDict(model))
    teacher.init_weights()
    # A fresh head gives nearly the same logits to all classes, so loss_kd would be about 0.
    teacher.roi_head.bbox_head.fc_cls.bias.data.normal_()
    torch.save(dict(state_dict=teacher.state_dict()), path)
    return str(path)


def _tensors(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [tensor for part in parts if part is not None for tensor in _tensors(part)]
