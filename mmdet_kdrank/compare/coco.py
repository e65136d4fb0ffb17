"""COCO's average precision of a run, and the matches that it was counted from."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

import numpy as np
from mmdet.structures import DetDataSample
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet_kdrank.compare.average_precision import Matches
from mmdet_kdrank.errors import DataError

MEASURES = ('mAP', 'AP50', 'AP75', 'AP_s', 'AP_m', 'AP_l')
"""The first six of COCO's summary, in its order."""


@contextmanager
def quietly() -> Iterator[None]:
    """Context in which pycocotools does not print."""
    with redirect_stdout(io.StringIO()):
        yield


def category_ids(coco: COCO, classes: Sequence[str]) -> list[int]:
    """Category of each label, as MMDetection's CocoDataset and CocoMetric number them."""
    return coco.getCatIds(catNms=list(classes))


class Detections:
    """A detector's boxes, in pixels of the original images.

    Args:
        coco: Annotations.
        classes: Of the data set.
    """

    def __init__(self, coco: COCO, classes: Sequence[str]) -> None:
        self._categories = category_ids(coco, classes)
        # Ids are kept as they are: they may be strings, or too large for a float.
        self._images: list[int | str] = []
        self._rows: list[np.ndarray] = []

    def add(self, samples: Sequence[DetDataSample]) -> None:
        """Add the predictions on a batch."""
        for sample in samples:
            predicted = sample.pred_instances.cpu().numpy()
            corners = np.asarray(predicted.bboxes, dtype=np.float64)
            rows = np.empty((len(corners), 6))
            rows[:, :2] = corners[:, :2]
            rows[:, 2:4] = corners[:, 2:] - corners[:, :2]
            rows[:, 4] = predicted.scores
            rows[:, 5] = predicted.labels
            self._images += [sample.img_id] * len(rows)
            self._rows.append(rows)

    def table(self) -> list[dict]:
        """Return one entry for each detection, as ``COCO.loadRes`` takes them."""
        return [
            dict(
                image_id=image,
                bbox=row[:4].tolist(),
                score=float(row[4]),
                category_id=self._categories[int(row[5])],
            )
            for image, row in zip(self._images, self._numbers(), strict=True)
        ]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that are kept in a file."""
        numbers = self._numbers()
        return {
            'detection_image_id': np.array(self._images),
            'detection_category_id': np.array(self._categories)[numbers[:, 5].astype(int)],
            'detection_score': numbers[:, 4].astype(np.float32),
            'detection_box': numbers[:, :4].astype(np.float32),
        }

    def _numbers(self) -> np.ndarray:
        """Box, score and label of each detection, (N, 6)."""
        return np.concatenate([np.empty((0, 6)), *self._rows])


def evaluate_boxes(
    coco: COCO, classes: Sequence[str], detections: Detections
) -> tuple[dict, Matches]:
    """Evaluate detections by COCO's rules.

    Args:
        coco: Annotations.
        classes: Of the data set.
        detections: On all of its images.

    Raises:
        ValueError: If no object of the classes is annotated.

    Returns:
        The :data:`MEASURES` (None where no object is of that size) and ``per_class`` (AP by class
        name, None where the class has no object); and the matches behind them.
    """
    categories = category_ids(coco, classes)
    table = detections.table()
    with quietly():
        predicted = coco.loadRes(table) if len(table) else COCO()
        if not len(table):  # which pycocotools' loadRes does not take
            predicted.dataset = {**coco.dataset, 'annotations': []}
            predicted.createIndex()
        evaluation = COCOeval(coco, predicted, 'bbox')
        evaluation.params.catIds = categories
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    if evaluation.stats[0] < 0:
        raise DataError(
            'The annotation file of test_evaluator holds no object of the classes '
            f'{", ".join(classes)[:200]}, so there is nothing to find. Give the one that belongs '
            'to test_dataloader.'
        )
    precision = evaluation.eval['precision'][:, :, :, 0, -1]
    per_class = {}
    # COCOeval puts the categories into the order of their ids.
    for column, category in enumerate(evaluation.params.catIds):
        values = precision[:, :, column]
        values = values[values > -1]
        per_class[coco.cats[category]['name']] = float(values.mean()) if values.size else None
    summary = [float(value) for value in evaluation.stats[: len(MEASURES)]]
    measures = {
        name: value if value > -1 else None for name, value in zip(MEASURES, summary, strict=True)
    }
    return {**measures, 'per_class': per_class}, matches_of(evaluation)


def matches_of(evaluation: COCOeval) -> Matches:
    """Take the matches of objects of all sizes out of an evaluation.

    Args:
        evaluation: After ``evaluate()``.

    Returns:
        Its matches at the most detections an image that it allows.
    """
    params = evaluation.params
    images = {image: index for index, image in enumerate(params.imgIds)}
    positives = np.zeros((len(images), len(params.catIds)), dtype=np.int32)
    # One entry for each class, range of sizes and image; the first range is that of all sizes.
    sizes, thresholds = len(params.areaRng), len(params.iouThrs)
    entries = []
    for number, entry in enumerate(evaluation.evalImgs):
        column, rest = divmod(number, sizes * len(images))
        if entry is not None and rest < len(images):
            image = images[entry['image_id']]
            positives[image, column] = np.count_nonzero(np.logical_not(entry['gtIgnore']))
            entries.append((image, column, entry))

    def flags(key: str) -> np.ndarray:
        parts = [np.asarray(entry[key]).reshape(thresholds, -1).T > 0 for *_, entry in entries]
        return np.concatenate([np.empty((0, thresholds), bool), *parts])

    counts = np.array([len(entry['dtScores']) for *_, entry in entries], dtype=int)
    ignored = flags('dtIgnore')
    return Matches(
        image_ids=np.array(params.imgIds),
        positives=positives,
        image=np.repeat(np.array([image for image, *_ in entries], dtype=np.int32), counts),
        label=np.repeat(np.array([column for _, column, _ in entries], dtype=np.int32), counts),
        score=np.concatenate([np.empty(0), *(entry['dtScores'] for *_, entry in entries)]),
        true_positive=flags('dtMatches') & ~ignored,
        ignored=ignored,
    )
