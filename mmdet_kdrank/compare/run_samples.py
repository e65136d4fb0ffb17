"""The measures that are compared, as functions of how often each image counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmdet_kdrank.compare.average_precision import Matches, WeightedAveragePrecision
from mmdet_kdrank.compare.calibration import calibration_counts, expected_calibration_error

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
    def load(cls, path: Path) -> RunSamples:
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
