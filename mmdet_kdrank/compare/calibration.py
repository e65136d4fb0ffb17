"""How far a detector's scores are from the shares of detections that are right."""

from __future__ import annotations

import numpy as np

from mmdet_kdrank.compare.average_precision import Matches

MIN_SCORE, BINS = 0.05, 15


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
