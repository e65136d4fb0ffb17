"""COCO's average precision of a test set whose images count several times, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np

_RECALLS = np.linspace(0.0, 1.0, 101)
_CELLS = 4_000_000  # of the largest array, 32 MB
_AP50, _AP75 = 0, 5  # positions among the overlaps 0.50, 0.55, … 0.95


@dataclass(frozen=True)
class Matches:
    """All that average precision is counted from: D detections on I images, K classes, T overlaps.

    Args:
        image_ids: COCO's id of each image, (I,).
        positives: Number of objects that count in each image and class, (I, K).
        image: Index of each detection's image, (D,).
        label: Class of each detection, (D,).
        score: Of each detection, (D,).
        true_positive: Whether it matches an object that counts, (D, T).
        ignored: Whether it counts neither way, for instance on a crowd, (D, T).
    """

    image_ids: np.ndarray
    positives: np.ndarray
    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    true_positive: np.ndarray
    ignored: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that are kept in a file."""
        return {f'match_{field.name}': getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Matches:
        """Return the inverse of :meth:`arrays`."""
        return cls(**{field.name: arrays[f'match_{field.name}'] for field in fields(cls)})


@dataclass(frozen=True)
class _Class:
    """Detections of a class by falling score, up to the last one that is right anywhere.

    Args:
        column: Of the class among the positives.
        image: Of each detection, (D,).
        ignored: Whether it counts neither way, (D, T).
        hits: For each overlap the positions of those that are right.
    """

    column: int
    image: np.ndarray
    ignored: np.ndarray
    hits: tuple[np.ndarray, ...]


class WeightedAveragePrecision:
    r"""Average precision as a function of how often each image counts.

    With weights :math:`w` of the images, a detection counts :math:`w` times as right or wrong and
    an object :math:`w` times as to be found. At the :math:`j`-th right detection of a class, by
    falling score,

    .. math:: r_j = \frac{\sum_{i \le j} w_i}{\sum_\mathrm{objects} w}, \quad
              p_j = \frac{\sum_{i \le j} w_i}{\sum_{\mathrm{detections\ to\ } j} w},
              \quad AP = \frac{1}{101} \sum_{t=0, 0.01, \dots, 1} \max_{r_j \ge t} p_j

    With weights of 1 it is COCOeval's value, with whole weights that of a data set in which each
    image stands as often: copies of a detection follow each other (unless another of the image has
    the same score to the last bit), and the maximum is reached behind the last copy. Precision
    rises at right detections alone, so the others are only counted.

    Args:
        matches: Of a run.
    """

    def __init__(self, matches: Matches) -> None:
        self._positives = matches.positives.astype(np.float64)
        self._classes = list(_classes(matches))
        self._overlaps = matches.true_positive.shape[1]

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluate for many weightings at once.

        Args:
            weights: How often each image counts, at least 0, (R, I).

        Returns:
            ``mAP``, ``AP50`` and ``AP75``, (R,): means over the classes that have an object; NaN
            where none has.
        """
        most = max((len(group.image) for group in self._classes), default=1)
        rows = max(1, _CELLS // max(1, most))
        parts = [
            self._evaluate(weights[start : start + rows].astype(np.float64))
            for start in range(0, len(weights), rows)
        ]
        overlaps = np.concatenate(parts, axis=1)
        return {'mAP': overlaps.mean(0), 'AP50': overlaps[_AP50], 'AP75': overlaps[_AP75]}

    def _evaluate(self, weights: np.ndarray) -> np.ndarray:
        """Mean over classes at each overlap, (T, R)."""
        objects = weights @ self._positives
        present = objects > 0
        total = np.zeros((self._overlaps, len(weights)))
        by_image = np.ascontiguousarray(weights.T)
        for group in self._classes:
            number = np.where(present[:, group.column], objects[:, group.column], np.inf)
            total += _of_class(group, by_image[group.image], number)
        count = present.sum(1)
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _classes(matches: Matches) -> Iterator[_Class]:
    for column in range(matches.positives.shape[1]):
        chosen = np.flatnonzero(matches.label == column)
        # COCOeval's order: stable, so that equal scores stay in the order of the images.
        chosen = chosen[np.argsort(-matches.score[chosen], kind='mergesort')]
        right = matches.true_positive[chosen]
        if right.any():
            end = np.flatnonzero(right.any(1))[-1] + 1
            hits = tuple(np.flatnonzero(right[:end, overlap]) for overlap in range(right.shape[1]))
            yield _Class(column, matches.image[chosen[:end]], matches.ignored[chosen[:end]], hits)


def _of_class(group: _Class, weights: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Return the AP at each overlap, (T, R), of a class whose detections have weights (D, R)."""
    counted = None if group.ignored.any() else np.cumsum(weights, axis=0)
    values = np.zeros((len(group.hits), weights.shape[1]))
    for overlap, hits in enumerate(group.hits):
        if not len(hits):
            continue
        if counted is None:
            seen = np.cumsum(weights * ~group.ignored[:, overlap, None], axis=0)[hits]
        else:
            seen = counted[hits]
        right = np.cumsum(weights[hits], axis=0)
        # COCOeval adds the same to the number of detections.
        precision = right / (seen + np.spacing(1))
        best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        reached = np.searchsorted(_RECALLS, right / objects, side='right')
        gained = np.diff(reached, axis=0, prepend=0)
        values[overlap] = (gained * best).sum(0) / len(_RECALLS)
    return values
