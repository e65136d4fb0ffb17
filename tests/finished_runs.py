"""Folders of small trainings on the embedded pictures, as ``tools/train.py`` leaves them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.runner import Runner

from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES
from tests.detectors import FASTER, RETINA, distiller_config, save_teacher, small_config

CONFIGS = Path(__file__).parents[1] / 'configs' / '_base_'
# Detections of a student of two iterations are below any threshold.
SEEN = {
    FASTER: dict(rpn=dict(max_per_img=20), rcnn=dict(score_thr=0.0, max_per_img=20)),
    RETINA: dict(score_thr=0.0, nms_pre=50, max_per_img=20),
}


@pytest.fixture
def saved(monkeypatch) -> list[Figure]:
    """The figures that were saved, whose axes hold what is drawn."""
    figures, save = [], Figure.savefig

    def keep(self: Figure, *args, **kwargs) -> None:
        figures.append(self)
        save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, 'savefig', keep)
    return figures


@pytest.fixture(scope='session')
def trained_run(tmp_path_factory) -> Callable[..., Path]:
    """Trains a small detector of a stock config for two iterations, once for each argument.

    ``trained_run(FASTER, seed=1)``: alone; with ``taught=True`` by a teacher, and diagnosed.
    """
    folder = tmp_path_factory.mktemp('runs')
    write_shapes(folder / 'data', ShapesSpec(seed=0, num_train=4, num_val=4, size=64))

    @cache
    def make(name: str, seed: int = 0, taught: bool = False) -> Path:
        register_all_modules(init_default_scope=True)
        kind = f'{Path(name).parts[0]}-{seed}{"-taught" if taught else ""}'
        config = Config.fromfile(CONFIGS / 'shapes_data.py')
        config.merge_from_dict(Config.fromfile(CONFIGS / 'shapes_schedule.py').to_dict())
        for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
            loader.update(batch_size=2)
            loader.dataset.data_root = str(folder / 'data')
        for evaluator in (config.val_evaluator, config.test_evaluator):
            evaluator.ann_file = str(folder / 'data' / 'annotations' / 'instances_val.json')
        config.train_cfg.update(max_iters=2, val_interval=2)
        config.default_hooks.logger.interval = 1
        config.randomness = dict(seed=seed)
        config.model = small_config(name, num_classes=len(CLASSES))
        if taught:
            teacher = small_config(name, width=8, num_classes=len(CLASSES))
            checkpoint = save_teacher(
                teacher, folder / f'{kind}.pth', meta=dict(dataset_meta=dict(classes=CLASSES))
            )
            config.model = distiller_config(config.model, teacher, checkpoint)
            config.custom_hooks = [dict(type='DistillDiagnosticsHook', interval=1)]
        config.merge_from_dict(dict(model=dict(test_cfg=SEEN[name])))
        config.work_dir = str(folder / kind)
        config.experiment_name = kind
        file = folder / f'{kind}.py'
        config.dump(file)
        torch.manual_seed(seed)
        Runner.from_cfg(Config.fromfile(file)).train()
        return folder / kind

    return make
