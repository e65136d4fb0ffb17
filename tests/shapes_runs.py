"""Runs of MMEngine's runner on a few pictures of the embedded data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmdet.models.detectors import FasterRCNN
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from mmdet_kdrank.datasets import ShapesDataset
from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes
from tests.detectors import FASTER, distiller_config, save_teacher, small_config

CLASSES = ShapesDataset.METAINFO['classes']
SPEC = ShapesSpec(num_train=4, num_val=6, size=64)
CONFIGS = Path(__file__).parents[1] / 'configs' / '_base_'


@MODELS.register_module(force=True)
class Oracle(FasterRCNN):
    """Detects the ground truth, named as a detector of other classes names it.

    Args:
        renamed: Its own label for each label of the data set; -1 detects nothing.
    """

    def __init__(self, renamed: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.renamed = torch.tensor(renamed)

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        # As a detector does, it classifies.
        super().predict(batch_inputs, batch_data_samples, rescale)
        for sample in batch_data_samples:
            truth = sample.gt_instances
            labels = self.renamed[truth.labels]
            found = InstanceData(bboxes=truth.bboxes, labels=labels, scores=torch.ones(len(labels)))
            sample.pred_instances = found[labels >= 0]
        return batch_data_samples


def save_oracle(path: Path, classes: tuple[str, ...], **options: Any) -> dict:
    """Write an oracle's checkpoint; what ``teacher`` takes for it."""
    renamed = [classes.index(name) if name in classes else -1 for name in CLASSES]
    config = small_config(FASTER, num_classes=len(classes))
    config.update(type='Oracle', renamed=options.pop('renamed', renamed))
    checkpoint = save_teacher(config, path, meta=dict(dataset_meta=dict(classes=classes)))
    return dict(config=config, checkpoint=checkpoint, **options)


def shapes_config(folder: Path, teacher: dict, **student: Any) -> Config:
    """A distillation of two iterations on four pictures; data and results lie in ``folder``."""
    write_shapes(folder / 'data', SPEC)
    config = Config.fromfile(CONFIGS / 'shapes_data.py')
    config.merge_from_dict(Config.fromfile(CONFIGS / 'shapes_schedule.py').to_dict())
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(batch_size=2)
        loader.dataset.data_root = str(folder / 'data')
    for evaluator in (config.val_evaluator, config.test_evaluator):
        evaluator.ann_file = str(folder / 'data' / 'annotations' / 'instances_val.json')
    config.train_cfg.update(max_iters=2, val_interval=10)
    config.default_hooks.logger.interval = 1
    config.model = distiller_config(
        small_config(FASTER, num_classes=len(CLASSES)), {}, '', **student
    )
    config.model.teacher = teacher
    if teacher.get('verify'):
        config.default_hooks.verify_teacher = dict(type='VerifyTeacherHook')
    config.work_dir = str(folder / 'work')
    config.experiment_name = folder.name
    return config


def train(config: Config) -> Runner:
    """Run it in this process."""
    runner = Runner.from_cfg(config.copy())
    runner.train()
    return runner
