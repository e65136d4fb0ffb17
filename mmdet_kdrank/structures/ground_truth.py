"""The annotated objects of a batch, for losses that compare by objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

from mmdet_kdrank.errors import ArgumentTypeError


@dataclass(frozen=True)
class GroundTruth:
    """The G objects of a batch, without those that the data set marks as ignored.

    Args:
        boxes: x1, y1, x2, y2 in pixels of the input, (G, 4); rotated boxes have 5 values.
        labels: Their classes, numbered like the labels of the samples, (G,), int64.
        image: Index in the batch of each object's image, (G,), int64.

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
    def from_data_samples(cls, data_samples: Sequence[DetDataSample] | dict) -> GroundTruth:
        """Join the annotations of one or more images.

        Args:
            data_samples: One a image, or MMYOLO's dict for all images, whose ``bboxes_labels`` are
                (G, 6): image, class and box.

        Raises:
            TypeError: If it is another dict.
        """
        if isinstance(data_samples, dict):
            if 'bboxes_labels' not in data_samples:
                raise ArgumentTypeError(
                    f'The annotations of the batch are a dict of {", ".join(data_samples)}, and '
                    'only one with bboxes_labels is known. Leave out losses that need boxes '
                    "(rows='object')."
                )
            rows = data_samples['bboxes_labels']
            return cls(boxes=rows[:, 2:], labels=rows[:, 1].long(), image=rows[:, 0].long())
        images = [sample.gt_instances for sample in data_samples]
        return cls(
            boxes=torch.cat([get_box_tensor(image.bboxes) for image in images]),
            labels=torch.cat([image.labels for image in images]),
            image=torch.cat(
                [torch.full_like(image.labels, index) for index, image in enumerate(images)]
            ),
        )
