"""A random batch that any stock detector takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData

from .lean import SIDE

BOXES = 3
SEMANTIC_STRIDE = 8
"""MMDetection's pipelines give semantic maps at an eighth of the picture."""


def random_batch(model: dict, seed: int = 0) -> dict[str, list]:
    """Two annotated pictures as a data loader gives them.

    Args:
        model (dict): The model of a stock config; tells the size, the number of classes, and
            whether masks, a semantic map or proposals are needed.
        seed (int): Seed of pictures and annotations.

    Returns:
        dict[str, list]: ``inputs``, uint8 of (3, H, W), and ``data_samples``.
    """
    rng = np.random.default_rng(seed)
    side = _fixed_side(model) or SIDE
    shapes = [(side, side), (side, side) if _fixed_side(model) else (side * 3 // 4, side)]
    pictures = [rng.integers(0, 256, (3, *shape), dtype=np.uint8) for shape in shapes]
    return dict(
        inputs=[torch.from_numpy(picture) for picture in pictures],
        data_samples=[_annotated(model, shape, rng) for shape in shapes],
    )


def _annotated(model: dict, shape: tuple[int, int], rng: np.random.Generator) -> DetDataSample:
    height, width = shape
    corner = rng.uniform(0, 0.5, (BOXES, 2)) * (width, height)
    size = rng.uniform(0.2, 0.5, (BOXES, 2)) * (width, height)
    boxes = torch.tensor(np.hstack([corner, corner + size]), dtype=torch.float32)
    preprocessor = model.get('data_preprocessor') or {}
    sample = DetDataSample(
        metainfo=dict(
            img_shape=shape, ori_shape=shape, pad_shape=shape, scale_factor=(1.0, 1.0), flip=False
        )
    )
    classes = min(_values(model, 'num_classes'), default=80)
    sample.gt_instances = InstanceData(
        bboxes=boxes, labels=torch.from_numpy(rng.integers(0, classes, BOXES))
    )
    if preprocessor.get('pad_mask'):
        sample.gt_instances.masks = _filled(boxes, shape)
    if preprocessor.get('pad_seg'):
        # The maps of a batch are padded before they are stacked, by the same preprocessor.
        scaled = (height // SEMANTIC_STRIDE, width // SEMANTIC_STRIDE)
        sem_seg = torch.from_numpy(rng.integers(0, classes, (1, *scaled)))
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


def _fixed_side(model: dict) -> int | None:
    """The one side that detectors such as SSD take, whose anchors are laid out for it."""
    return next(_values(model, 'input_size'), None)


def _values(config: Any, key: str) -> Iterator[int]:
    children = config.items() if isinstance(config, dict) else ()
    if isinstance(config, (list, tuple)):
        children = enumerate(config)
    for name, value in children:
        if name == key and isinstance(value, int):
            yield value
        yield from _values(value, key)
