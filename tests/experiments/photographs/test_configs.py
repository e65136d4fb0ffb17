"""The configs of experiments/photographs/ train, here on random images and weights."""

from pathlib import Path

import pytest
import torch
from mmdet.models.backbones import EfficientNet
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper

from experiments.photographs.backbone import EfficientNetLite
from tests.detectors import raw_batch

FOLDER = Path(__file__).resolve().parents[3] / 'experiments' / 'photographs' / 'configs'
DISTILLING = sorted(path.stem for path in FOLDER.glob('*_lite2-lite0_*.py'))


def config_of(name):
    return Config.fromfile(FOLDER / f'{name}.py')


@pytest.mark.parametrize('name', DISTILLING)
def test_one_step_of_a_student_whose_weights_fit_the_student_alone(name, tmp_path, monkeypatch):
    monkeypatch.setattr(EfficientNetLite, 'init_weights', EfficientNet.init_weights)
    detector = name.split('_')[0]
    config = config_of(name)
    MessageHub.get_current_instance().update_info(
        'dataset_meta', config.train_dataloader.dataset.metainfo
    )
    torch.manual_seed(0)
    teacher = MODELS.build(config_of(f'{detector}_lite2').model)
    config.model.teacher.checkpoint = str(tmp_path / 'teacher.pth')
    torch.save(teacher.state_dict(), config.model.teacher.checkpoint)
    student = MODELS.build(config.model)
    student.init_weights()
    student.train()

    optimizer = build_optim_wrapper(student, config.optim_wrapper)
    log = student.train_step(raw_batch(shapes=((96, 96), (64, 96)), num_classes=25), optimizer)

    assert all(torch.isfinite(torch.as_tensor(value)) for value in log.values()), log
    assert {*config.model.distill_losses} <= log.keys()
    alone = MODELS.build(config_of(f'{detector}_lite0').model)
    alone.load_state_dict(student.state_dict(), strict=True)


@pytest.mark.parametrize('detector', ['faster-rcnn', 'retinanet'])
def test_the_backbone_learns_more_slowly_than_what_starts_from_random_weights(detector):
    config = config_of(f'{detector}_lite0')
    optimizer = build_optim_wrapper(MODELS.build(config.model), config.optim_wrapper)
    rates = {round(group['lr'], 8) for group in optimizer.param_groups}
    assert rates == {5e-4, 1.5e-4}
