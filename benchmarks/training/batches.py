"""Batches as a data loader gives them."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

import torch
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from benchmarks.script import ROOT
from benchmarks.training.settings import Setting
from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes

_BOXES = 8


def make_batch(setting: Setting) -> dict[str, list]:
    """Make images and annotations: of the embedded data set, or noise at the size of COCO's.

    Args:
        setting: Number and size of the images; those of the embedded data set are square.

    Returns:
        ``inputs``, uint8 tensors (3, height, width), and ``data_samples`` with the boxes.
    """
    if setting.coco:
        samples = [_noise(setting.height, setting.width, seed) for seed in range(setting.batch)]
    else:
        samples = _drawn(setting)
    return {key: [sample[key] for sample in samples] for key in ('inputs', 'data_samples')}


def _drawn(setting: Setting) -> list[dict]:
    dataset = Config.fromfile(ROOT / 'configs/_base_/shapes_data.py').train_dataloader.dataset
    # All variants must get the same images.
    dataset.pipeline = [step for step in dataset.pipeline if step.type != 'RandomFlip']
    with tempfile.TemporaryDirectory() as folder:
        dataset.data_root = str(Path(folder) / 'shapes')
        # Write more images than needed, because those without an object are left out.
        write_shapes(dataset.data_root, ShapesSpec(0, 2 * setting.batch, 1, setting.height))
        # pycocotools prints what it does.
        with contextlib.redirect_stdout(io.StringIO()):
            images = DATASETS.build(dataset)
        return [images[index] for index in range(setting.batch)]


def _noise(height: int, width: int, seed: int) -> dict:
    draw = torch.Generator().manual_seed(seed)
    size = torch.tensor([width, height])
    corner = torch.rand(_BOXES, 2, generator=draw) * size / 2
    extent = (0.1 + 0.4 * torch.rand(_BOXES, 2, generator=draw)) * size
    shape = (height, width)
    sample = DetDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0)))
    sample.gt_instances = InstanceData(
        bboxes=torch.cat([corner, corner + extent], 1),
        labels=torch.randint(0, 80, (_BOXES,), generator=draw),
    )
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
    )
    image = torch.randint(0, 256, (3, *shape), generator=draw, dtype=torch.uint8)
    return dict(inputs=image, data_samples=sample)
