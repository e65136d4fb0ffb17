"""Class logits that detectors give to the annotated boxes of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from mmdet.structures.bbox import bbox2roi, bbox_overlaps
from torch import Tensor, nn

from mmdet_kdrank.distillers.query_pairs import ImageQueries, queries_at_boxes
from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError
from mmdet_kdrank.heads.class_output import ClassOutput, class_output
from mmdet_kdrank.heads.priors import prior_boxes
from mmdet_kdrank.heads.queries import Queries, has_queries, run_queries
from mmdet_kdrank.runs.validation import Validation
from mmdet_kdrank.structures.class_alignment import align_classes
from mmdet_kdrank.teachers.teacher import Teacher


def class_output_of(detector: nn.Module) -> ClassOutput:
    """Look up what the class output of a detector's last box head is.

    Raises:
        TypeError: If it has no box head, or an unknown one.
    """
    head = getattr(getattr(detector, 'roi_head', detector), 'bbox_head', None)
    if head is None:
        raise ArgumentTypeError(
            f'{type(detector).__name__} has no bbox_head, so there are no class logits to compare. '
            'Give a detector with a RoI head or a dense head.'
        )
    return class_output(head[-1] if isinstance(head, nn.ModuleList) else head)


@torch.no_grad()
def class_logits(detector: nn.Module, batch: dict, boxes: Sequence[Tensor]) -> Tensor:
    """Take a detector's class logits of given boxes.

    A two-stage detector classifies the boxes as RoIs, with its last stage. A dense detector has
    classified its priors (anchors, or cells of points). Each box gets the logits of the prior that
    overlaps it most; among equal overlaps, the one with the nearest centre. So detectors with the
    same priors give the logits of the same one. Of a query-based detector each box gets the logits
    of the query that is matched to it.

    Args:
        detector: In eval mode.
        batch: A batch of a data loader.
        boxes: Of each image, (N_i, 4): x1, y1, x2, y2 in pixels of the network's input.

    Returns:
        (sum of N_i, channels) logits, a background channel last where the head has one.

    Raises:
        TypeError: If the detector has no class logits of a box.
    """
    output = class_output_of(detector)
    data = detector.data_preprocessor(batch, training=False)
    features = detector.extract_feat(data['inputs'])
    boxes = [box.to(features[0]) for box in boxes]
    if has_queries(detector):
        queries = run_queries(detector, features, data['data_samples'])[-1]
        return _logits_of_queries(queries, output, data['data_samples'], boxes)
    roi_head = getattr(detector, 'roi_head', None)
    if roi_head is not None:
        stages = getattr(roi_head, 'num_stages', 1)
        stage = (stages - 1,) if isinstance(roi_head.bbox_head, nn.ModuleList) else ()
        return output.logits(roi_head._bbox_forward(*stage, features, bbox2roi(boxes))['cls_score'])
    maps = detector.bbox_head(features)[0]
    logits = torch.cat([output.rows(level) for level in maps], dim=1)
    priors = prior_boxes(detector.bbox_head, [level[:1] for level in maps])
    return torch.cat(
        [rows[_best_prior(box, priors)] for rows, box in zip(logits, boxes, strict=True)]
    )


def _logits_of_queries(
    queries: Queries, output: ClassOutput, samples: Sequence, boxes: Sequence[Tensor]
) -> Tensor:
    """Return the logits of the query at each box, (sum of N_i, channels)."""
    rows = []
    for values, places, box, sample in zip(
        queries.logits, queries.boxes, boxes, samples, strict=True
    ):
        logits = output.logits(values)
        side = ImageQueries(logits, places, output.activation, output.background)
        rows.append(logits[queries_at_boxes(side, box, sample.metainfo)])
    return torch.cat(rows)


def _best_prior(boxes: Tensor, priors: Tensor) -> Tensor:
    """Return the index of the prior of each box, (N,)."""
    overlaps = bbox_overlaps(boxes, priors)
    centres = ((corners[:, :2] + corners[:, 2:]) / 2 for corners in (boxes, priors))
    distance = torch.cdist(*centres, compute_mode='donot_use_mm_for_euclid_dist')
    # Equal overlaps differ by their rounding.
    best = overlaps >= overlaps.amax(dim=1, keepdim=True) - 1e-5
    return distance.masked_fill(~best, float('inf')).argmin(dim=1)


@dataclass(frozen=True)
class BoxLogits:
    """Class logits of N annotated boxes, on the K classes that students and teacher share.

    Args:
        classes: Their names.
        labels: Class of each box, (N,), int64, from 0 to K - 1.
        students: By name, (N, K), with a background channel last where every
            head has one.
        teacher: The same of the teacher.
        background: Whether there is that channel.
        softmax: Whether the teacher's head makes scores by a softmax; otherwise by a sigmoid.
    """

    classes: list[str]
    labels: Tensor
    students: dict[str, Tensor]
    teacher: Tensor
    background: bool
    softmax: bool

    def teacher_score(self) -> Tensor:
        """Return the teacher's highest foreground probability of each box, (N,)."""
        scores = self.teacher.softmax(1) if self.softmax else self.teacher.sigmoid()
        return scores[:, : len(self.classes)].amax(1)

    def teacher_likeness(self) -> Tensor:
        """Return the teacher's probability of each class, the background left out, (N, K)."""
        foreground = self.teacher[:, : len(self.classes)]
        return foreground.softmax(1) if self.softmax else foreground.sigmoid()


@torch.no_grad()
def box_logits(
    students: Mapping[str, Teacher], teacher: Teacher, validation: Validation
) -> BoxLogits:
    """Collect the class logits of the annotated boxes of a validation set.

    :func:`class_logits` says how: two-stage detectors classify them, dense ones are asked at the
    prior that overlaps a box most.

    Args:
        students: By name; of the validation set's classes.
        teacher: May know further classes.
        validation: The images.

    Returns:
        On the CPU, in float32.

    Raises:
        ValueError: If a student has other classes, the teacher none of them, or nothing is
            annotated.
    """
    for name, student in students.items():
        if student.classes is not None and student.classes != validation.classes:
            raise ArgumentError(
                f'{name} knows other classes than the validation set of the first run, so that '
                'the two cannot be compared there. Give runs on one data set.'
            )
    detectors = [*students.values(), teacher]
    outputs = [class_output_of(detector.model) for detector in detectors]
    background = all(output.background for output in outputs)
    alignment = align_classes(
        validation.classes, teacher.classes, len(validation.classes), outputs[-1].num_classes
    )
    labels, rows = [], [[] for _ in detectors]
    for image in validation:
        if not len(image.truth):
            continue
        *student_logits, teacher_logits = (
            class_logits(detector.model, image.batch, [image.input_boxes]).float().cpu()
            for detector in detectors
        )
        pairs = [alignment.select(logits, teacher_logits, background) for logits in student_logits]
        for into, logits in zip(rows, [*(pair[0] for pair in pairs), pairs[0][1]], strict=True):
            into.append(logits)
        labels.append(alignment.column_of(image.truth.labels))
    if not labels:
        raise ArgumentError('No validation image has an annotated box. Look at more of them.')
    known = torch.cat(labels) >= 0
    *student_rows, teacher_rows = (torch.cat(parts)[known] for parts in rows)
    return BoxLogits(
        classes=[validation.classes[index] for index in alignment.student],
        labels=torch.cat(labels)[known],
        students=dict(zip(students, student_rows, strict=True)),
        teacher=teacher_rows,
        background=background,
        softmax=outputs[-1].activation == 'softmax',
    )
