"""Another project: a scope of its own, with a detector, a data set and a batch of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.models.detectors import SingleStageDetector
from mmdet.structures import DetDataSample
from mmengine.dataset import BaseDataset
from mmengine.registry import (
    DATASETS,
    HOOKS,
    MODELS,
    TASK_UTILS,
    VISUALIZERS,
    DefaultScope,
    Registry,
)
from mmengine.structures import InstanceData
from torch import Tensor

from tests.detectors import small_config

SCOPE = 'anybody'
ROOTS = (DATASETS, HOOKS, MODELS, TASK_UTILS, VISUALIZERS)


class AnybodysNet(SingleStageDetector):
    """Takes all annotations of a batch in one tensor, and a factor on its losses."""

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor', factor=1.0):
        if mode == 'loss':
            return self.loss(inputs, data_samples, factor, names=['loss_cls', 'loss_bbox'])
        return super().forward(inputs, data_samples, mode)

    def loss(self, inputs: Tensor, annotations: dict, factor: float, *, names: list[str]) -> dict:
        rows, samples = annotations['bboxes_labels'], []
        for index in range(len(inputs)):
            of_image = rows[rows[:, 0] == index]
            shape = tuple(inputs.shape[2:])
            sample = DetDataSample(metainfo=dict(img_shape=shape, pad_shape=shape))
            sample.gt_instances = InstanceData(bboxes=of_image[:, 2:], labels=of_image[:, 1].long())
            samples.append(sample)
        losses = super().loss(inputs, samples)
        return {name: [factor * value for value in losses[name]] for name in names}


class AnybodysPreprocessor(DetDataPreprocessor):
    """Gives images that are stacked already, and leaves the annotations as they are."""

    def forward(self, data: dict, training: bool = False) -> dict:
        images = self.cast_data(data['inputs']).float()
        images = images.flip(1) if self._channel_conversion else images
        return dict(inputs=(images - self.mean) / self.std, data_samples=data['data_samples'])


class AnybodysDataset(BaseDataset):
    METAINFO = dict(classes=tuple('edcba'))


@contextmanager
def registered() -> Iterator[None]:
    """Let the project exist, and its scope be MMEngine's default."""
    modules = {SCOPE: ModuleType(SCOPE), f'{SCOPE}.registry': ModuleType(f'{SCOPE}.registry')}
    for root in ROOTS:
        Registry(root.name, parent=root, scope=SCOPE)
    for kind in (AnybodysNet, AnybodysPreprocessor):
        MODELS.children[SCOPE].register_module(module=kind)
    DATASETS.children[SCOPE].register_module(module=AnybodysDataset)
    sys.modules.update(modules)
    try:
        with DefaultScope.overwrite_default_scope(SCOPE):
            yield
    finally:
        for root in ROOTS:
            del root.children[SCOPE]
        for name in modules:
            del sys.modules[name]


def own_config(name: str, **changes: Any) -> dict:
    """A stock model as the project's own config has it: only MMDetection's parts are prefixed."""
    model = small_config(name)
    for part in ('backbone', 'neck', 'bbox_head'):
        model[part]['_scope_'] = 'mmdet'
    model.data_preprocessor.type = 'AnybodysPreprocessor'
    return {**model, 'type': 'AnybodysNet', **changes}


def own_batch(images: int = 2, seed: int = 0) -> dict:
    """A batch as the project's loader gives it."""
    generator = torch.Generator().manual_seed(seed)
    corner = 30 * torch.rand(3 * images, 2, generator=generator)
    size = 10 + 20 * torch.rand(3 * images, 2, generator=generator)
    label = torch.randint(5, (3 * images, 1), generator=generator)
    image = torch.arange(images).repeat_interleave(3)[:, None]
    return dict(
        inputs=torch.randint(256, (images, 3, 64, 64), generator=generator, dtype=torch.uint8),
        data_samples=dict(bboxes_labels=torch.cat([image, label, corner, corner + size], 1)),
    )
