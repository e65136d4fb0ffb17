"""What distillation adds to a step, each part alone: differences of whole steps drown in noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.training.batches import make_batch
from benchmarks.training.variants import Job, make_detector
from mmdet_kdrank.distillers.balance import BalancedWeights
from mmdet_kdrank.heads.capture import watch_forward, watch_method
from mmdet_kdrank.ops.agreement import agreement
from mmdet_kdrank.structures.samples import DistillSamples

Call = Callable[[], object]


def make_terms(job: Job, device: str = 'cpu') -> tuple[dict[str, Call], int]:
    """Record one step and makes calls that repeat parts of it.

    Args:
        job: What is trained.
        device: Where it runs.

    Returns:
        Calls by name, and the number of rows that the losses get. ``teacher_forward``: the
        features and logits of the teacher. ``selector``: the choice of rows. ``kd`` and ``rank``:
        a loss on these rows, forward and backward. ``agreement``: the logged agreement.
        ``balance``: the weight of a rank loss that has a share of KD's gradient.
    """
    model = make_detector(job, 'kd_rank', device)
    seen: dict[str, Any] = {}
    with (
        watch_method(model, 'compare', lambda arguments, _: seen.update(arguments)),
        watch_method(model.distill_terms, 'selector', lambda arguments, _: seen.update(arguments)),
        watch_forward(model.distill_losses['loss_rank'], lambda a, _: seen.update(loss=a)),
        watch_forward(
            model.teacher_session.model.backbone, lambda a, _: seen.update(images=a['x'])
        ),
    ):
        data = model.data_preprocessor(make_batch(job.setting), training=True)
        model(**data, mode='loss')
    arguments = seen['loss']
    pred, soft_label = arguments['pred'].detach(), arguments['soft_label']
    rest = {key: arguments[key] for key in ('weight', 'avg_factor')}
    samples = seen['samples']

    def term(name: str) -> Call:
        loss = model.distill_losses[name]

        def call() -> None:
            leaf = pred.clone().requires_grad_()
            loss(leaf, soft_label, **rest).backward()

        return call

    chosen = replace(samples, student=pred.clone().requires_grad_(), teacher=soft_label)
    calls = {
        'teacher_forward': _teacher_forward(model, seen['images'], seen['captured']),
        'selector': lambda: model.distill_terms.selector(samples),
        'kd': term('loss_kd'),
        'rank': term('loss_rank'),
        'agreement': lambda: agreement(pred, soft_label),
        'balance': _balance(model, chosen, rest),
    }
    return calls, len(pred)


def _balance(model: nn.Module, chosen: DistillSamples, rest: dict) -> Call:
    entries = model.distill_terms.entries
    entries['loss_rank'].share = dict(share=0.3, of='loss_kd')
    values = {
        name: loss(chosen.student, chosen.teacher, **rest)
        for name, loss in model.distill_losses.items()
    }
    weights = BalancedWeights(entries)
    return lambda: weights('', values, chosen, chosen, rest['avg_factor'])


def _teacher_forward(model: nn.Module, images: Tensor, captured: Any) -> Call:
    @torch.no_grad()
    def two_stage() -> object:
        features = model.teacher_session.teacher.features(images)
        return model._classify(features, [records[0].rois for records in captured])

    @torch.no_grad()
    def dense() -> object:
        return model.teacher_logits(model.teacher_session.teacher.features(images))

    return two_stage if hasattr(model, 'roi_head') else dense
