"""The measures that are compared, as functions of how often each image counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mmdet_kdrank.compare.average_precision import Matches, WeightedAveragePrecision

MIN_SCORE, BINS = 0.05, 15
COMPARED = ('mAP', 'AP50', 'AP75', 'tau', 'top1', 'ECE')


class RunSamples:
    """A run's matches and class rankings, ready to be weighted anew.

    Args:
        arrays: Those of its ``samples.npz``.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        matches = Matches.from_arrays(arrays)
        self.image_ids = matches.image_ids
        self._precision = WeightedAveragePrecision(matches)
        self._calibration = calibration_counts(matches)
        self._boxes: dict[str, np.ndarray] = {}
        if 'box_image_id' in arrays:
            image = np.searchsorted(self.image_ids, arrays['box_image_id'])
            for key, name in (('count', None), ('tau', 'box_tau'), ('top1', 'box_top1')):
                values = None if name is None else arrays[name].astype(np.float64)
                self._boxes[key] = np.bincount(image, values, minlength=len(self.image_ids))

    @classmethod
    def load(cls, path: Path | BinaryIO) -> RunSamples:
        """Read the file that an evaluation left."""
        with np.load(path) as arrays:
            return cls(dict(arrays))

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Measure with images that count several times, or not at all.

        Args:
            weights: How often each image counts, (R, I), in the order of ``image_ids``.

        Returns:
            Each of :data:`COMPARED`, (R,); without ``tau`` and ``top1`` where no teacher was there.
        """
        counts = np.tensordot(weights, self._calibration, axes=1)
        values = {**self._precision(weights), 'ECE': expected_calibration_error(counts)}
        if self._boxes:
            boxes = weights @ self._boxes['count']
            for key in ('tau', 'top1'):
                values[key] = np.divide(
                    weights @ self._boxes[key],
                    boxes,
                    out=np.full(len(weights), np.nan),
                    where=boxes > 0,
                )
        return values


def calibration_counts(matches: Matches) -> np.ndarray:
    """Count detections by image and by their score.

    Detections with a score of at least 0.05 count, unless COCO's rules ignore them. Right is one
    that matches an object of its class at an IoU of 0.5.

    Args:
        matches: Of a run.

    Returns:
        (I, 15, 3): images, equally wide bins of the score from 0 to 1, and in each the number of
        detections, the sum of their scores, and the number that is right.
    """
    counted = (matches.score >= MIN_SCORE) & ~matches.ignored[:, 0]
    score = matches.score[counted]
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    counts = np.zeros((len(matches.image_ids), BINS, 3))
    values = np.stack([np.ones_like(score), score, matches.true_positive[counted, 0]], axis=1)
    np.add.at(counts, (matches.image[counted], bins), values)
    return counts


def expected_calibration_error(counts: np.ndarray) -> np.ndarray:
    r"""Return expected calibration error of counts that are summed over images.

    .. math:: \sum_b \frac{n_b}{N} |\mathrm{right}_b / n_b - \mathrm{score}_b / n_b|

    after Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 5.

    Args:
        counts: (..., 15, 3), see :func:`calibration_counts`.

    Returns:
        (...), from 0 to 1; NaN without a detection.
    """
    total = counts[..., 0].sum(-1)
    gaps = np.abs(counts[..., 2] - counts[..., 1]).sum(-1)
    return np.divide(gaps, total, out=np.full(np.shape(total), np.nan), where=total > 0)


def calibration_error(matches: Matches) -> float | None:
    """Return expected calibration error of a run; None where it detected nothing."""
    value = float(expected_calibration_error(calibration_counts(matches).sum(0)))
    return None if np.isnan(value) else value
