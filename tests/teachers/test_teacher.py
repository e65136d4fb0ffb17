import random

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmdet_kdrank.checkpoints.loading import CheckpointError
from mmdet_kdrank.teachers.teacher import TeacherSource
from tests.detectors import FASTER, NUM_CLASSES, RETINA, build, save_teacher, small_config

CLASSES = tuple('abcde')


@pytest.fixture(scope='module')
def teacher_config():
    return small_config(FASTER)


@pytest.fixture
def checkpoint(tmp_path, teacher_config):
    return save_teacher(teacher_config, tmp_path / 'teacher.pth')


def rewrite(path, change):
    content = torch.load(path)
    change(content)
    torch.save(content, path)


def test_loaded_frozen_and_in_eval(teacher_config, checkpoint):
    teacher = TeacherSource(teacher_config, checkpoint).load()
    saved = torch.load(checkpoint)['state_dict']
    assert all(torch.equal(value, saved[key]) for key, value in teacher.model.state_dict().items())
    assert not any(parameter.requires_grad for parameter in teacher.model.parameters())
    assert not any(module.training for module in teacher.model.modules())
    assert teacher.classes is None


def test_random_states_are_kept(teacher_config, checkpoint):
    def drawn():
        return torch.rand(1).item(), np.random.rand(), random.random()

    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    expected = drawn()
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    TeacherSource(teacher_config, checkpoint).load()
    assert drawn() == expected


def test_random_states_are_kept_when_building_fails(checkpoint):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with pytest.raises(KeyError):
        TeacherSource(dict(type='NoSuchDetector'), checkpoint).load()
    assert torch.equal(torch.get_rng_state(), state)


def test_config_by_path_with_the_classes_of_its_data_set(tmp_path, teacher_config, checkpoint):
    path = tmp_path / 'teacher.py'
    inner = dict(type='CocoDataset', metainfo=dict(classes=CLASSES))
    dataset = dict(type='RepeatDataset', times=2, dataset=inner)
    Config(dict(model=teacher_config, train_dataloader=dict(dataset=dataset))).dump(path)
    assert TeacherSource(str(path), checkpoint).load().classes == CLASSES


def test_classes_of_a_data_set_type(tmp_path, teacher_config, checkpoint):
    path = tmp_path / 'teacher.py'
    dataset = dict(type='ConcatDataset', datasets=[dict(type='VOCDataset')])
    Config(dict(model=teacher_config, train_dataloader=dict(dataset=dataset))).dump(path)
    assert TeacherSource(str(path), checkpoint).load().classes[0] == 'aeroplane'


@pytest.mark.parametrize(
    'meta', [dict(dataset_meta=dict(classes=CLASSES)), dict(CLASSES=list(CLASSES))]
)
def test_classes_of_the_checkpoint_come_first(tmp_path, teacher_config, meta):
    path = tmp_path / 'teacher.py'
    dataset = dict(type='CocoDataset')
    Config(dict(model=teacher_config, train_dataloader=dict(dataset=dataset))).dump(path)
    saved = save_teacher(teacher_config, tmp_path / 'teacher.pth', meta=meta)
    assert TeacherSource(str(path), saved).load().classes == CLASSES


@pytest.mark.slow
def test_config_by_name(tmp_path):
    from mmengine.hub import get_config

    model = get_config(f'mmdet::{FASTER}').model
    model.backbone.init_cfg = None
    saved = save_teacher(model, tmp_path / 'teacher.pth')
    teacher = TeacherSource(f'mmdet::{FASTER}', saved).load()
    assert teacher.classes[:2] == ('person', 'bicycle')


def test_auto_is_the_checkpoint_that_the_model_index_publishes(monkeypatch):
    asked = []

    def offline(path):
        asked.append(path)
        raise FileNotFoundError(path)

    monkeypatch.setattr('mmdet_kdrank.checkpoints.loading.load_checkpoint', offline)
    with pytest.raises(FileNotFoundError):
        TeacherSource(f'mmdet::{FASTER}', 'auto').load()
    assert asked[0].endswith('faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth')


def test_auto_without_published_weights_is_refused():
    source = TeacherSource(
        'mmdet::faster_rcnn/faster-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py', 'auto'
    )
    with pytest.raises(ValueError, match='publishes no weights'):
        source.load()


@pytest.mark.parametrize('config', ['teacher.py', dict(type='FasterRCNN')])
def test_auto_needs_a_package_config(config):
    with pytest.raises(ValueError, match="checkpoint='auto'.*Give the path or URL"):
        TeacherSource(config, 'auto')


def test_keys_of_the_teacher_dict():
    assert TeacherSource.from_config(dict(config='a.py', checkpoint='b.pth')).config == 'a.py'
    with pytest.raises(ValueError, match='ckpt'):
        TeacherSource.from_config(dict(config='a.py', ckpt='b.pth'))
    last = dict(config='a.py', checkpoint='b.pth', channels_last=True)
    assert TeacherSource.from_config(last).channels_last


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_channels_last_gives_the_same_logits(tmp_path, name):
    """RoIAlign of mmcv reads channels-last features wrongly, without a word."""
    config = small_config(name)
    path = save_teacher(config, tmp_path / 'teacher.pth')
    images = torch.randn(2, 3, 64, 96)
    rois = torch.tensor([[0, 4, 4, 60, 40], [1, 10, 20, 30, 90.0]])
    logits = []
    for last in (False, True):
        teacher = TeacherSource(config, path, channels_last=last).load()
        features = teacher.features(images)
        if name == FASTER:
            logits.append([teacher.model.roi_head._bbox_forward(features, rois)['cls_score']])
        else:
            logits.append(teacher.model.bbox_head(features)[0])
    assert teacher.model.backbone.layer1[0].conv1.weight.is_contiguous(
        memory_format=torch.channels_last
    )
    torch.testing.assert_close(logits[1], logits[0], rtol=1e-5, atol=1e-5)


def test_ddp_prefix_is_taken_off(teacher_config, checkpoint):
    def prefix(content):
        state = content['state_dict']
        content['state_dict'] = {f'module.{key}': value for key, value in state.items()}

    rewrite(checkpoint, prefix)
    TeacherSource(teacher_config, checkpoint).load()


def test_a_bare_state_dict_will_do(tmp_path, teacher_config):
    path = tmp_path / 'bare.pth'
    torch.save(build(teacher_config).state_dict(), path)
    TeacherSource(teacher_config, str(path)).load()


def test_missing_and_foreign_keys_are_named(teacher_config, checkpoint):
    def break_keys(content):
        state = content['state_dict']
        state['roi_head.extra'] = state.pop('roi_head.bbox_head.fc_cls.bias')

    rewrite(checkpoint, break_keys)
    with pytest.raises(
        ValueError,
        match=r'teacher.pth does not fit.*missing keys \(roi_head.bbox_head.fc_cls.bias\).*'
        r'unexpected keys \(roi_head.extra\).*Give the config',
    ):
        TeacherSource(teacher_config, checkpoint).load()


def test_another_size_is_named(checkpoint):
    other = small_config(FASTER, num_classes=NUM_CLASSES + 1)
    with pytest.raises(ValueError, match='teacher.pth does not fit.*fc_cls.weight') as caught:
        TeacherSource(other, checkpoint).load()
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('config', [dict(backbone=dict(type='ResNet')), 'empty.py'])
def test_a_config_without_a_detector_is_refused(config, tmp_path, monkeypatch, checkpoint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty.py').write_text('lr = 1\n')
    with pytest.raises(ValueError, match='has no model with a type'):
        TeacherSource(config, checkpoint).load()


def test_missing_files_are_named(teacher_config, checkpoint):
    with pytest.raises(FileNotFoundError, match='absent.py'):
        TeacherSource('absent.py', checkpoint).load()
    with pytest.raises(CheckpointError, match='absent.pth does not exist'):
        TeacherSource(teacher_config, 'absent.pth').load()
