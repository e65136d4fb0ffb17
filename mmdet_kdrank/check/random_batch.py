"""A random batch that any stock detector accepts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData

SIZES = (((128, 128), (96, 128)), ((320, 320), (320, 320)))
"""Heights and widths of the two images, in the order in which they are tried.

Some detectors need larger images, because deformable convolutions refuse maps smaller than their
kernel. Some need two images of the same size."""

BOXES = 3


Sizes = tuple[tuple[int, int], ...]


def random_batch(model: dict, sizes: Sizes = SIZES[0], seed: int = 0) -> dict[str, list]:
    """Make a batch of annotated images, as a data loader returns them.

    Args:
        model: The model of a stock config. It determines the number of classes, whether masks, a
            semantic map or proposals are needed, and the image size if that is fixed.
        sizes: Height and width of each image, if the model has no fixed size.
        seed: Seed of images and annotations.

    Returns:
        ``inputs``, uint8 of (3, H, W), and ``data_samples``.
    """
    rng = np.random.default_rng(seed)
    # Detectors such as SSD lay out their anchors for one size.
    fixed = next(_values(model, 'input_size'), None)
    if fixed:
        sizes = ((fixed, fixed),) * len(sizes)
    images = [rng.integers(0, 256, (3, *size), dtype=np.uint8) for size in sizes]
    return dict(
        inputs=[torch.from_numpy(image) for image in images],
        data_samples=[_annotated(model, size, rng) for size in sizes],
    )


def _annotated(model: dict, shape: tuple[int, int], rng: np.random.Generator) -> DetDataSample:
    height, width = shape
    corner = rng.uniform(0, 0.5, (BOXES, 2)) * (width, height)
    size = rng.uniform(0.2, 0.5, (BOXES, 2)) * (width, height)
    boxes = torch.tensor(np.hstack([corner, corner + size]), dtype=torch.float32)
    sample = DetDataSample(
        metainfo=dict(
            img_shape=shape, ori_shape=shape, pad_shape=shape, scale_factor=(1.0, 1.0), flip=False
        )
    )
    classes = min(_values(model.get('roi_head') or model, 'num_classes'), default=80)
    sample.gt_instances = InstanceData(
        bboxes=boxes, labels=torch.from_numpy(rng.integers(0, classes, BOXES))
    )
    if any(any(_values(model, name)) for name in ('pad_mask', 'mask_head', 'loss_mask')):
        sample.gt_instances.masks = _filled(boxes, shape)
    if any(_values(model, 'pad_seg')):
        sem_seg = torch.from_numpy(rng.integers(0, classes, (1, *shape)))
        sample.gt_sem_seg = PixelData(sem_seg=sem_seg)
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
    )
    if 'rpn_head' not in model:
        sample.proposals = InstanceData(bboxes=boxes + 1.0, scores=torch.ones(BOXES))
    return sample


def _filled(boxes: torch.Tensor, shape: tuple[int, int]) -> BitmapMasks:
    masks = np.zeros((len(boxes), *shape), dtype=np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    return BitmapMasks(masks, *shape)


def _values(config: Any, key: str) -> Iterator[Any]:
    """Yield the values of a key anywhere in a config."""
    if isinstance(config, dict):
        if key in config:
            yield config[key]
        config = list(config.values())
    for value in config if isinstance(config, (list, tuple)) else ():
        yield from _values(value, key)
