"""The Mask R-CNN pair of the shapes, from the written images to the mAP of boxes and masks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes
from tests.configs.files import parsed

TEACHER, ALONE, KD, KD_RANK = (
    f'shapes/mask-rcnn_{name}_shapes.py'
    for name in ('r18w32', 'r18w16', 'r18w32-r18w16_kd', 'r18w32-r18w16_kd-rank')
)


def small(name: str, folder: Path) -> Config:
    """A copy that trains for two iterations on a few images, with every detection evaluated."""
    config = Config(parsed(name).to_dict())
    config.merge_from_dict(
        {
            'train_dataloader.dataset.data_root': f'{folder}/shapes/',
            'train_dataloader.batch_size': 2,
            'val_dataloader.dataset.data_root': f'{folder}/shapes/',
            'val_evaluator.ann_file': f'{folder}/shapes/annotations/instances_val.json',
            'train_cfg.max_iters': 2,
            'train_cfg.val_interval': 2,
            'default_hooks.checkpoint.interval': 2,
            'default_hooks.logger.interval': 1,
            # An untrained detector's scores are below the threshold.
            'model.test_cfg.rcnn.score_thr': 0.0,
            'work_dir': f'{folder}/{Path(name).stem}',
            'log_level': 'WARNING',
        }
    )
    config.test_cfg = config.test_dataloader = config.test_evaluator = None
    return config


def model(name: str) -> ConfigDict:
    """A copy to build from: building changes a config."""
    return Config(parsed(name).to_dict()).model


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('masks')
    write_shapes(folder / 'shapes', ShapesSpec(seed=1, num_train=4, num_val=3))
    return folder


@pytest.mark.slow
def test_the_pair_trains_and_is_evaluated_on_boxes_and_masks(folder):
    torch.manual_seed(1)
    teacher = folder / 'teacher.pth'
    torch.save(MODELS.build(model(TEACHER)).state_dict(), teacher)
    config = small(KD_RANK, folder)
    config.model.teacher.update(config=model(TEACHER), checkpoint=str(teacher))

    runner = Runner.from_cfg(config)
    runner.train()

    log = runner.message_hub.log_scalars
    for name in ('loss_kd', 'loss_rank', 'distill_tau', 'loss_mask', 'loss_cls'):
        values, _ = log[f'train/{name}'].data
        assert len(values) == 2, name
    for kind in ('bbox', 'segm'):
        assert 0 <= log[f'val/coco/{kind}_mAP'].current() <= 1
    state = torch.load(folder / Path(KD_RANK).stem / 'iter_2.pth', weights_only=False)['state_dict']
    MODELS.build(model(ALONE)).load_state_dict(state, strict=True)


def test_perfect_boxes_and_masks_score_one(folder):
    """The evaluator reads the masks that were written, and the loader hands out the same."""
    config = small(ALONE, folder)
    loader = Runner.build_dataloader(config.val_dataloader)
    runner = Runner.from_cfg(config)
    evaluator = runner.build_evaluator(config.val_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    for batch in loader:
        samples = batch['data_samples']
        for sample in samples:
            truth = sample.gt_instances
            sample.pred_instances = type(truth)(
                bboxes=truth.bboxes.tensor,
                labels=truth.labels,
                scores=torch.ones(len(truth)),
                masks=truth.masks.to_tensor(torch.bool, 'cpu'),
            )
        evaluator.process(data_samples=samples, data_batch=batch)
    metrics = evaluator.evaluate(len(loader.dataset))
    assert metrics['coco/bbox_mAP'] == metrics['coco/segm_mAP'] == 1.0


def test_students_differ_in_their_distillation_alone():
    wide, narrow = (parsed(name).model.roi_head for name in (TEACHER, ALONE))
    assert wide.mask_head.in_channels == wide.mask_roi_extractor.out_channels == 64
    assert narrow.mask_head.in_channels == narrow.mask_roi_extractor.out_channels == 32
    alone, distilled, ranked = (parsed(name).model.to_dict() for name in (ALONE, KD, KD_RANK))
    del ranked['distill_losses']['loss_rank']
    assert distilled == ranked
    assert (alone.pop('type'), distilled.pop('type')) == ('MaskRCNN', 'DistillTwoStageDetector')
    assert distilled.pop('teacher')['config'] == f'configs/{TEACHER}'
    assert distilled.pop('distill_losses').keys() == {'loss_kd'}
    assert distilled == alone
