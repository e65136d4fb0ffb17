"""The targets of a dense head's own class loss, recorded while the head computes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmdet.models.dense_heads import SSDHead, YOLACTHead
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.heads.capture import watch_forward, watch_method
from mmdet_kdrank.heads.class_output import class_output
from mmdet_kdrank.ops.suggestions import class_name

OWN_LOSS = {SSDHead: 'loss_by_feat_single', YOLACTHead: 'OHEMloss_by_feat_single'}
"""Methods of heads that mine hard negatives. Their arguments are the targets of all priors, which
``loss_cls``, if the head calls it, only ranks."""
HEAT_MAP_LOSSES = ('loss_center_heatmap', 'loss_heatmap')
"""Names of losses over class maps (B, C, H, W), whose target is 1 at an object's own cell."""


@dataclass(frozen=True)
class ClassTargets:
    """The arguments of one call of a class loss.

    Args:
        pred: Class outputs from the head, detached, (n, values). None if the rows are known to be
            in the order of the class maps.
        labels: The class of each row, (n,), int64; ``num_classes`` for background.
        weights: Factor on each row, (n,).
        avg_factor: The normaliser; None if the head divides in another place.
    """

    pred: Tensor | None
    labels: Tensor
    weights: Tensor
    avg_factor: float | Tensor | None


@contextmanager
def watch_class_targets(head: nn.Module) -> Iterator[list[ClassTargets]]:
    """Record the targets of the class loss that ``head`` trains on, call by call.

    Calls without a reduction are left out, because a head ranks its candidates with them (PAA,
    PISA, FSAF). Calls without one label a row are left out too (AutoAssign, FreeAnchor).

    Args:
        head: A dense head with ``num_classes``.
    """
    calls: list[ClassTargets] = []
    normalised_later = class_output(head).normalised_later

    def observe(pred: Tensor, target: Any, weight: Tensor | None, avg_factor: Any) -> None:
        labels = target_labels(target, head.num_classes)
        if labels is None:
            return
        pred = pred.detach().reshape(len(labels), -1)
        weights = pred.new_ones(len(labels)) if weight is None else weight.detach()
        avg_factor = None if normalised_later else _scalar(avg_factor)
        if weights.numel() == len(labels):
            calls.append(ClassTargets(pred, labels, weights.reshape(-1), avg_factor))

    def observe_module(module: nn.Module, arguments: dict) -> None:
        reduction = arguments.get('reduction_override') or getattr(module, 'reduction', None)
        if reduction != 'none':
            pred, target = list(arguments.values())[:2]
            weight = arguments.get('weight', arguments.get('label_weight'))
            observe(pred, target, weight, arguments.get('avg_factor'))

    def observe_heat_map(arguments: dict) -> None:
        # A cell next to an object's has a score between 0 and 1, and is background.
        objects = arguments['target'].eq(1).permute(0, 2, 3, 1).flatten(0, 2)
        labels = torch.where(objects.any(1), objects.int().argmax(1), head.num_classes)
        weights = torch.ones_like(labels, dtype=torch.float32)
        calls.append(ClassTargets(None, labels, weights, _scalar(arguments['avg_factor'])))

    def observe_method(arguments: dict, _: Any) -> None:
        observe(
            arguments['cls_score'],
            arguments['labels'],
            arguments['label_weights'],
            arguments['avg_factor'],
        )

    with ExitStack() as stack:
        # TOOD has another class loss in the first epochs.
        for name in ('loss_cls', 'initial_loss_cls'):
            loss = getattr(head, name, None)
            if isinstance(loss, nn.Module):
                stack.enter_context(
                    watch_forward(loss, lambda args, _, module=loss: observe_module(module, args))
                )
        for name in HEAT_MAP_LOSSES:
            if isinstance(loss := getattr(head, name, None), nn.Module):
                stack.enter_context(watch_forward(loss, lambda args, _: observe_heat_map(args)))
        for head_type, method in OWN_LOSS.items():
            if isinstance(head, head_type):
                stack.enter_context(watch_method(head, method, observe_method))
        yield calls


def target_labels(target: Any, num_classes: int) -> Tensor | None:
    """Return one label a row, (n,); None if the target of the class loss has another form."""
    # Quality focal losses take (labels, scores).
    labels = target[0] if isinstance(target, (tuple, list)) else target
    if not isinstance(labels, Tensor):
        return None
    if not labels.is_floating_point():
        return labels if labels.dim() == 1 else None
    if labels.dim() < 2 or labels.shape[-1] != num_classes:
        return None
    # Varifocal loss and YOLOv3 have a score in the column of the label.
    positive = labels.flatten(0, -2) > 0
    if (positive.sum(1) > 1).any():
        return None
    return torch.where(positive.any(1), positive.int().argmax(1), num_classes)


class RowOrder:
    """Puts the targets of a class loss into the order of the class maps.

    Heads flatten their maps level by level, as this package does, or image by image. Comparing the
    logits shows the order, once on the first batch and once on the first with several images.
    """

    def __init__(self) -> None:
        self._by_image: dict[bool, bool] = {}

    def arrange(
        self, calls: list[ClassTargets], logits: Tensor, image: Tensor, mixed: bool
    ) -> tuple[Tensor, Tensor, float | Tensor | None] | None:
        """Join the calls of one step.

        Args:
            calls: The calls, their ``pred`` as class logits.
            logits: The head's class logits, (N, C).
            image: Index of the image of each row, (N,).
            mixed: Whether rows of one image stand between those of another: with one image or one
                level the two orders are equal, so neither can be excluded.

        Returns:
            Labels (N,), weights (N,), and the normaliser if all calls have the same. None if the
            calls are not for these rows.
        """
        if not calls or sum(len(call.labels) for call in calls) != len(logits):
            return None
        by_image = self._by_image.get(mixed)
        if calls[0].pred is None:
            by_image = False
        elif by_image is None:
            pred = torch.cat([call.pred for call in calls])
            if _same(pred, logits):
                by_image = False
            elif mixed and _same(pred, logits[image.argsort(stable=True)]):
                by_image = True
            else:
                return None
            # Logits with NaN, which are reported elsewhere, may fit both orders.
            if pred.isfinite().all():
                self._by_image[mixed] = by_image
        labels = torch.cat([call.labels for call in calls])
        weights = torch.cat([call.weights for call in calls])
        if by_image:
            rows = image.argsort(stable=True)
            labels = torch.empty_like(labels).index_copy_(0, rows, labels)
            weights = torch.empty_like(weights).index_copy_(0, rows, weights)
        return labels, weights, _common([call.avg_factor for call in calls])


def _scalar(factor: float | Tensor | None) -> float | Tensor | None:
    # A tensor stays on its device: reading it would wait for the GPU.
    return factor.detach().reshape(()) if isinstance(factor, Tensor) else factor


def check_normaliser(head: nn.Module, labels: Tensor, avg_factor: float | Tensor | None) -> None:
    """Refuse a normaliser of exactly 1 that is the head's own if it has several positives.

    Heads that divide their loss afterwards pass 1, and a loss with that normaliser would be as many
    times too large as there are positives. A tensor is a counted number, and is believed.

    Args:
        head: The student's head.
        labels: The label of each row, (N,).
        avg_factor: The normaliser that it passed to its class loss.

    Raises:
        ValueError: If the normaliser is the number 1 and more rows are positive than there are
            ranks. A mean over the ranks can be 1 up to then.
    """
    if isinstance(avg_factor, Tensor) or avg_factor != 1:
        return
    output = replace(class_output(head), normalised_later=True)
    positives = int(((labels >= 0) & (labels < output.num_classes)).sum())
    if positives > max(1, get_world_size()):
        raise ArgumentError(
            f'{class_name(type(head))} passes avg_factor=1 to its class loss beside {positives} '
            'positives, so it divides the loss afterwards, and distillation losses with this '
            f'normaliser would be {positives} times too large. Declare normalised_later=True '
            '(docs/how_to/extend_family.md): the number of positives is the normaliser then. Put '
            'this below the head: from mmdet_kdrank.distillers import ClassOutput, '
            f'declare_class_output; declare_class_output({type(head).__name__})(lambda head: '
            f'{output})'
        )


def _common(factors: list[float | Tensor | None]) -> float | Tensor | None:
    """Return the normaliser of all calls; None if they differ."""
    # Levels that share one tensor are equal without reading it from its device.
    if all(factor is factors[0] or factor == factors[0] for factor in factors[1:]):
        return factors[0]
    return None


def _same(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are equal, counting NaN as equal to NaN."""
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())
