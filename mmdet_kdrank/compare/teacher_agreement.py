"""Comparing a detector's class rankings with the teacher's while it is evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmdet.structures import DetDataSample
from pycocotools.coco import COCO
from torch import Tensor, nn

from mmdet_kdrank.compare.coco import category_ids
from mmdet_kdrank.errors import KDRankError, UnsupportedError
from mmdet_kdrank.heads.priors import assert_comparable
from mmdet_kdrank.heads.queries import has_queries
from mmdet_kdrank.ops.agreement import row_agreement
from mmdet_kdrank.runs.box_logits import class_logits, class_output_of
from mmdet_kdrank.structures.class_alignment import align_classes
from mmdet_kdrank.teachers.teacher import Teacher


class TeacherAgreement:
    """How alike a detector and the teacher rank the classes of annotated boxes.

    Args:
        teacher: The reference.
        detector: In eval mode.
        classes: Of the test set.
        coco: Its annotations.
        device: Of the detector.
    """

    def __init__(
        self,
        teacher: Teacher,
        detector: nn.Module,
        classes: Sequence[str],
        coco: COCO,
        device: torch.device,
    ) -> None:
        self._teacher, self._detector, self._device = teacher.model.to(device), detector, device
        self._boxes = _boxes_of(coco, category_ids(coco, classes))
        self._rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._reason = ''
        try:
            kinds = [_kind(model) for model in (detector, teacher.model)]
            if kinds[0] != kinds[1]:
                raise UnsupportedError(
                    f'{kinds[0]} detector and {kinds[1]} teacher classify different boxes.'
                )
            if kinds[0] == 'a single-stage':
                assert_comparable(detector.bbox_head, teacher.model.bbox_head, 'same')
            self._outputs = class_output_of(detector), class_output_of(self._teacher)
            counts = (output.num_classes for output in self._outputs)
            self._alignment = align_classes(classes, teacher.classes, *counts)
        except KDRankError as error:
            self._reason = str(error)

    def add(self, batch: dict) -> None:
        """Compare both on a batch of the test set, as its loader gives it."""
        if self._reason:
            return
        samples = batch['data_samples']
        boxes = [self._in_input(sample) for sample in samples]
        ids = np.repeat([sample.img_id for sample in samples], [len(rows) for rows in boxes])
        try:
            logits = [
                class_logits(model, batch, boxes) for model in (self._detector, self._teacher)
            ]
        except KDRankError as error:
            self._reason = str(error)
            return
        background = all(output.background for output in self._outputs)
        tau, same = row_agreement(*self._alignment.select(*logits, background))
        self._rows.append((ids, tau.cpu().numpy(), same.cpu().numpy()))

    def result(self) -> dict:
        """Return the agreement on all batches.

        Returns:
            ``tau``, ``top1``, ``boxes`` (their number) and ``rows`` (arrays, one row for each
            box); or ``reason``, why there is nothing to compare.
        """
        if self._reason or not self._rows:
            return {'reason': self._reason or 'The test set is empty.'}
        ids, tau, same = (np.concatenate(parts) for parts in zip(*self._rows, strict=True))
        if not len(ids):
            return {'reason': 'No box of the test set is annotated.'}
        return {
            'tau': float(tau.mean(dtype=np.float64)),
            'top1': float(same.mean()),
            'boxes': len(ids),
            'rows': {'box_image_id': ids, 'box_tau': tau, 'box_top1': same},
        }

    def _in_input(self, sample: DetDataSample) -> Tensor:
        boxes = self._boxes.get(sample.img_id, torch.zeros(0, 4))
        factor = torch.tensor(sample.metainfo.get('scale_factor', (1.0, 1.0)), dtype=boxes.dtype)
        return (boxes * factor.repeat(2)).to(self._device)


def _kind(detector: nn.Module) -> str:
    if has_queries(detector):
        return 'a query-based'
    return 'a two-stage' if hasattr(detector, 'roi_head') else 'a single-stage'


def _boxes_of(coco: COCO, categories: Sequence[int]) -> dict[int | str, Tensor]:
    """Return the annotated boxes of each image, x1, y1, x2, y2, without crowds."""
    by_image: dict[int | str, list[list[float]]] = {}
    for entry in coco.loadAnns(coco.getAnnIds(catIds=list(categories), iscrowd=False)):
        x, y, width, height = entry['bbox']
        if width > 0 and height > 0:
            by_image.setdefault(entry['image_id'], []).append([x, y, x + width, y + height])
    return {image: torch.tensor(boxes) for image, boxes in by_image.items()}
