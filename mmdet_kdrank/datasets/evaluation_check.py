"""Finds faults of an annotation file on which COCO's evaluation fails, or counts wrong."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

from mmdet_kdrank.datasets.annotation_file import listed, read_annotations
from mmdet_kdrank.datasets.coco_check import check_coco
from mmdet_kdrank.errors import DataError


def check_evaluated(
    ann_file: str | Path, classes: Sequence[str], masks: bool = False, known: bool = False
) -> None:
    """Refuse an annotation file that an evaluator cannot count from.

    Args:
        ann_file: Of a CocoMetric.
        classes: Of the data set that it evaluates.
        masks: Whether masks are evaluated.
        known: Whether :func:`check_coco` has passed it already.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If an entry is faulty, ``iscrowd`` is missing, or an annotation has the id 0.
    """
    if not known:
        check_coco(ann_file, classes, None, training=False)
    content = read_annotations(Path(ann_file), False)
    annotations = content['annotations']
    # NumPy makes strings of all where one is a string, and no id matches.
    if len({isinstance(image['id'], str) for image in content['images']}) > 1:
        raise DataError(
            f'Annotation file {ann_file}: some image ids are numbers and some are strings, which '
            "COCO's evaluation cannot match. Make all numbers, or all strings."
        )
    words = [annotation['id'] for annotation in annotations if not _is_number(annotation['id'])]
    if words:
        raise DataError(
            f'Annotation file {ann_file}: {len(words)} annotations have an id that is no number '
            f"({listed(words)}), and COCO's evaluation needs one. Number the annotations from 1."
        )
    # pycocotools marks a match by the id of the object, and takes 0 for no match.
    if any(float(annotation['id']) == 0 for annotation in annotations):
        raise DataError(
            f"Annotation file {ann_file}: an annotation has the id 0, which COCO's evaluation "
            'takes for no match. Number the annotations from 1.'
        )
    lacking = [
        annotation['id']
        for annotation in annotations
        if not isinstance(annotation.get('iscrowd'), (int, float))
    ]
    if lacking:
        raise DataError(
            f'Annotation file {ann_file}: {len(lacking)} annotations have no number as iscrowd '
            f'({listed(lacking)}), and the evaluation needs it. Set iscrowd to 0, or to 1 for a '
            'crowd.'
        )
    ignored = sum(
        bool(annotation.get('ignore')) and not annotation['iscrowd'] for annotation in annotations
    )
    if ignored:
        warnings.warn(
            f"Annotation file {ann_file}: {ignored} annotations have 'ignore', which MMDetection "
            "leaves out in training, but COCO's evaluation counts them as objects to be found. "
            'Set iscrowd to 1 for them.',
            stacklevel=2,
        )
    lacking = [annotation['id'] for annotation in annotations if not annotation.get('segmentation')]
    if masks and lacking:
        raise DataError(
            f'Annotation file {ann_file}: {len(lacking)} annotations have no segmentation '
            f"({listed(lacking)}), and metric 'segm' needs it. Add it, or remove 'segm' from the "
            'evaluator.'
        )


def _is_number(value: float | str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False
