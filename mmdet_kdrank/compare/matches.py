"""Which detections of a run are right, at each of COCO's ten overlaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Matches:
    """All that average precision is counted from: D detections on I images, K classes, T overlaps.

    Args:
        image_ids: COCO's id of each image, (I,).
        positives: Number of objects that count in each image and class, (I, K).
        image: Index of each detection's image, (D,).
        label: Class of each detection, (D,).
        score: Of each detection, (D,).
        true_positive: Whether it found an object that counts, (D, T).
        ignored: Whether it counts for nothing, e.g. as it lies on a crowd, (D, T).
    """

    image_ids: np.ndarray
    positives: np.ndarray
    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    true_positive: np.ndarray
    ignored: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what is kept of them in a file."""
        return {f'match_{field.name}': getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Matches:
        """Return the inverse of :meth:`arrays`."""
        return cls(**{field.name: arrays[f'match_{field.name}'] for field in fields(cls)})
