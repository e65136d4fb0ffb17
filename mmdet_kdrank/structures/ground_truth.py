"""The annotated objects of a batch, for losses that compare by objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor


@dataclass(frozen=True)
class GroundTruth:
    """G objects of a batch; what the data set says to ignore is not among them.

    Args:
        boxes: x1, y1, x2, y2 in pixels of the input, (G, 4).
        labels: Their classes, counted as the labels of the samples are, (G,), int64.
        image: Index in the batch of the image of each, (G,), int64.

    Example:
        >>> from mmengine.structures import InstanceData
        >>> objects = InstanceData(
        ...     bboxes=torch.tensor([[0.0, 0.0, 9.0, 9.0]]), labels=torch.tensor([3])
        ... )
        >>> truth = GroundTruth.from_data_samples([DetDataSample(gt_instances=objects)])
        >>> len(truth), truth.image
        (1, tensor([0]))
    """

    boxes: Tensor
    labels: Tensor
    image: Tensor

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def from_data_samples(cls, data_samples: Sequence[DetDataSample]) -> GroundTruth:
        """Join the annotations of all images, at least one."""
        instances = [sample.gt_instances for sample in data_samples]
        boxes = torch.cat([get_box_tensor(each.bboxes) for each in instances])
        return cls(
            boxes=boxes,
            labels=torch.cat([each.labels for each in instances]),
            image=torch.cat(
                [
                    boxes.new_full((len(each),), index, dtype=torch.int64)
                    for index, each in enumerate(instances)
                ]
            ),
        )
