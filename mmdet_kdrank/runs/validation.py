"""The validation images of a run with their annotations, whatever its pipeline makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mmcv
import numpy as np
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError


@dataclass(frozen=True)
class ValidationImage:
    """One image.

    Args:
        batch: As a data loader gives it, of this image alone.
        truth: ``bboxes`` (N, 4), x1, y1, x2, y2 in pixels of the image's file, and
            ``labels`` (N,), without crowds and other boxes to be ignored.
        path: Its file.
    """

    batch: dict
    truth: InstanceData
    path: str

    @property
    def pixels(self) -> np.ndarray:
        """The file's content, (H, W, 3) uint8 RGB."""
        return mmcv.imread(self.path, channel_order='rgb')

    @property
    def input_boxes(self) -> Tensor:
        """Annotated boxes in pixels of the network's input, (N, 4)."""
        factor = self.batch['data_samples'][0].metainfo.get('scale_factor', (1.0, 1.0))
        return self.truth.bboxes * torch.tensor(factor, dtype=torch.float32).repeat(2)


class Validation:
    """The validation set of a config.

    Annotations are the data set's own, in pixels of the file. Those that a pipeline packs may be
    in pixels of the network's input.

    Args:
        config: Of a training, with ``val_dataloader``, or ``test_dataloader`` alone.
        images: Number of images to take, from the first one on; None takes all.

    Raises:
        ValueError: If the config validates on nothing.
    """

    def __init__(self, config: Config, images: int | None = None) -> None:
        loader = config.get('val_dataloader') or config.get('test_dataloader')
        if not loader:
            raise ArgumentError(
                f'{config.filename} has neither val_dataloader nor test_dataloader, so that there '
                'are no images to look at. Give a training whose config validates.'
            )
        register_all_modules(init_default_scope=True)
        self._dataset = DATASETS.build(loader.dataset)
        if not self._dataset.metainfo.get('classes'):
            raise ArgumentError(f'The validation set of {config.filename} names no classes.')
        total = len(self._dataset)
        self._count = total if images is None else min(images, total)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self._dataset.metainfo['classes'])

    @property
    def metainfo(self) -> dict:
        """With ``classes`` and ``palette``."""
        return self._dataset.metainfo

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> ValidationImage:
        if not 0 <= index < self._count:
            raise IndexError(index)
        info = self._dataset.get_data_info(index)
        objects = [entry for entry in info['instances'] if not entry.get('ignore_flag')]
        truth = InstanceData(
            bboxes=torch.tensor([entry['bbox'] for entry in objects]).float().reshape(-1, 4),
            labels=torch.tensor([entry['bbox_label'] for entry in objects], dtype=torch.int64),
        )
        return ValidationImage(pseudo_collate([self._dataset[index]]), truth, info['img_path'])

    def __iter__(self) -> Iterator[ValidationImage]:
        return (self[index] for index in range(self._count))
