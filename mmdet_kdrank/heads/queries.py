"""Query-based detectors: the logits and boxes of their queries, and their own assignment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from mmdet.models import dense_heads
from mmdet.models.detectors import DetectionTransformer, SparseRCNN
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from torch import Tensor, nn

from mmdet_kdrank.errors import UnsupportedError
from mmdet_kdrank.heads.capture import watch_forward, watch_method
from mmdet_kdrank.heads.class_targets import target_labels

# MMDetection 3.1 and 3.2 lack it.
_DISTINCT = getattr(dense_heads, 'DDQDETRHead', ())

QUERY_DETECTORS = (DetectionTransformer, SparseRCNN)
"""The classes of MMDetection's detectors with queries: DETR's kind, and Sparse R-CNN's."""


@dataclass(frozen=True)
class Queries:
    """The queries of one decoder layer, or of one stage, image by image.

    Args:
        logits: Class outputs of each image, (n, values).
        boxes: Boxes of each image, x1, y1, x2, y2 in pixels of the input, (n, 4).
    """

    logits: list[Tensor]
    boxes: list[Tensor]


@dataclass(frozen=True)
class AssignedQueries(Queries):
    """The student's queries in a training step, with its own assignment.

    Args:
        output: The class outputs of all images, which the detection loss got, (N, values).
        labels: The class of each query, (N,), int64; ``num_classes`` for background. None if the
            class loss does not get one label a query.
        weights: Label weights, (N,).
        avg_factor: The normaliser of the class loss.
        objects: For each image the index of the object of each query, (n,), int64; -1 for none.
        annotated: The objects of each image, as the assigner got them.
    """

    output: Tensor
    labels: Tensor | None
    weights: Tensor
    avg_factor: float | Tensor | None
    objects: list[Tensor]
    annotated: list


def has_queries(detector: nn.Module) -> bool:
    """Return whether a detector is one of :data:`QUERY_DETECTORS`."""
    return isinstance(detector, QUERY_DETECTORS)


def query_heads(detector: nn.Module) -> list[nn.Module]:
    """Return the heads with the class output of queries: one for all layers, or one a stage."""
    return list(detector.roi_head.bbox_head) if has_stages(detector) else [detector.bbox_head]


def has_stages(detector: nn.Module) -> bool:
    """Return whether queries are refined by the stages of a RoI head (Sparse R-CNN, QueryInst)."""
    return isinstance(detector, SparseRCNN)


def run_queries(
    detector: nn.Module, features: Sequence[Tensor], data_samples: list[DetDataSample]
) -> list[Queries]:
    """Return the queries of all layers of a detector in eval mode.

    Args:
        detector: One of :data:`QUERY_DETECTORS`.
        features: The levels of its neck, (B, C, h, w).
        data_samples: The images' samples, with ``img_shape`` and ``batch_input_shape``.
    """
    if has_stages(detector):
        return _run_stages(detector, features, data_samples)
    head = detector.bbox_head
    logits, boxes = head(**detector.forward_transformer(features, data_samples))
    layers = []
    for index, (layer_logits, layer_boxes) in enumerate(zip(logits, boxes, strict=True)):
        layer = Queries([], [])
        for image, sample in enumerate(data_samples):
            kept = _distinct(head, index, image)
            height, width = sample.img_shape[:2]
            scale = layer_boxes.new_tensor([width, height, width, height])
            layer.logits.append(layer_logits[image][kept])
            layer.boxes.append(bbox_cxcywh_to_xyxy(layer_boxes[image][kept]) * scale)
        layers.append(layer)
    return layers


def last_logits(detector: nn.Module, outputs: tuple) -> list[Tensor]:
    """Return the class outputs of each image, (n, values), that a detector in eval mode reports.

    Args:
        detector: One of :data:`QUERY_DETECTORS`.
        outputs: What the last of its :func:`query_heads` returned.
    """
    if has_stages(detector):
        return list(outputs[0])
    head, last = detector.bbox_head, outputs[0][-1]
    # Some detectors run the head on the last layer alone.
    layer = detector.decoder.num_layers - 1
    return [logits[_distinct(head, layer, image)] for image, logits in enumerate(last)]


def _distinct(head: nn.Module, layer: int, image: int) -> Tensor | slice:
    """Return which queries count: DDQ trains and predicts with distinct ones alone."""
    if not isinstance(head, _DISTINCT) or layer == 0:
        return slice(None)
    masks = head.cache_dict['distinct_query_mask'][layer - 1]
    return masks[image * head.cache_dict['num_heads']][0]


def _run_stages(
    detector: nn.Module, features: Sequence[Tensor], data_samples: list[DetDataSample]
) -> list[Queries]:
    proposals = detector.rpn_head.predict(features, data_samples)
    metas = [sample.metainfo for sample in data_samples]
    stages: list[Queries] = []

    def observe(_: dict, results: dict) -> None:
        stages.append(Queries(list(results['cls_score']), results['detached_proposals']))

    roi_head = detector.roi_head
    with watch_method(roi_head, '_bbox_forward', observe):
        roi_head.predict_bbox(features, metas, proposals, roi_head.test_cfg)
    return stages


@dataclass
class QueryRecord:
    """What a student's heads and assigners did in a training step, in the order of the calls.

    Args:
        detector: The student.
        data_samples: The images' samples.
        num_layers: Decoder layers, or 1 with stages.
        losses: For each head the arguments of the calls of its class loss.
        assigned: For each head the arguments and results of its assigner, one a layer and image.
    """

    detector: nn.Module
    data_samples: list[DetDataSample] = field(default_factory=list)
    num_layers: int = 1
    losses: list[list[dict[str, Any]]] = field(default_factory=list)
    assigned: list[list[tuple[dict[str, Any], Any]]] = field(default_factory=list)

    def layers(self) -> list[AssignedQueries]:
        """Return the queries of all layers or stages, without denoising and encoder queries.

        Raises:
            NotImplementedError: If the head did not compute its class loss layer by layer.
        """
        return [
            self._layer(head, losses, assigned, index)
            for head, losses, assigned in zip(
                query_heads(self.detector), self.losses, self.assigned, strict=True
            )
            for index in range(self.num_layers)
        ]

    def _layer(self, head: nn.Module, losses: list, assigned: list, index: int) -> AssignedQueries:
        images = len(self.data_samples)
        calls = assigned[index * images : (index + 1) * images]
        sizes = [len(call['pred_instances']) for call, _ in calls]
        loss = losses[index] if index < len(losses) else {}
        output, target = (list(loss.values()) + [torch.empty(0), None])[:2]
        if len(calls) < images or sum(sizes) != len(output):
            raise UnsupportedError(
                f'{type(head).__name__} did not pass the class outputs of layer {index} to its '
                'assigner and to its class loss, image by image, so its queries are not known. '
                'This head is not supported.'
            )
        weights = loss.get('weight')
        return AssignedQueries(
            logits=list(output.split(sizes)),
            boxes=[call['pred_instances'].bboxes.detach() for call, _ in calls],
            output=output,
            labels=target_labels(target, head.num_classes),
            weights=output.new_ones(len(output)) if weights is None else weights.detach(),
            avg_factor=loss.get('avg_factor'),
            objects=[result.gt_inds - 1 for _, result in calls],
            annotated=[call['gt_instances'] for call, _ in calls],
        )


@contextmanager
def watch_queries(detector: nn.Module) -> Iterator[QueryRecord]:
    """Record the queries of one training step of a detector.

    Args:
        detector: One of :data:`QUERY_DETECTORS`.
    """
    record = QueryRecord(detector)
    whole = detector.roi_head if has_stages(detector) else detector.bbox_head

    def observe_samples(arguments: dict, _: Any) -> None:
        record.data_samples = arguments['batch_data_samples']

    def count_layers(_: dict, outputs: tuple) -> None:
        record.num_layers = len(outputs[0])

    with ExitStack() as stack:
        stack.enter_context(watch_method(whole, 'loss', observe_samples))
        if not has_stages(detector):
            stack.enter_context(watch_forward(whole, count_layers))
        for head, assigner in zip(query_heads(detector), assigners(detector), strict=True):
            losses: list[dict] = []
            assigned: list[tuple] = []
            stack.enter_context(
                watch_forward(head.loss_cls, lambda call, _, losses=losses: losses.append(call))
            )
            stack.enter_context(
                watch_method(
                    assigner,
                    'assign',
                    lambda *call, assigned=assigned: assigned.append(call),
                )
            )
            record.losses.append(losses)
            record.assigned.append(assigned)
        yield record


def assigners(detector: nn.Module) -> list[Any]:
    """Return the assigner of each of the :func:`query_heads`."""
    if has_stages(detector):
        return list(detector.roi_head.bbox_assigner)
    return [detector.bbox_head.assigner]
