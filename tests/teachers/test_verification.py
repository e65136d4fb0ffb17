"""With a teacher that detects the ground truth, and is named and ordered otherwise."""

from __future__ import annotations

import pytest
import torch

from mmdet_kdrank.errors import CheckpointError
from mmdet_kdrank.teachers.verification import TeacherCheck
from tests.detectors import FASTER, save_teacher, small_config
from tests.shapes_runs import CLASSES, save_oracle, shapes_config, train

FOREIGN = ('cup', *reversed(CLASSES), 'dog')


def logged(config, folder):
    return '\n'.join(path.read_text() for path in folder.glob('work/*/*.log'))


@pytest.mark.parametrize(('classes', 'channels_last'), [(CLASSES, False), (FOREIGN, True)])
def test_a_perfect_teacher_passes(tmp_path, classes, channels_last):
    teacher = save_oracle(
        tmp_path / 'teacher.pth', classes, verify=dict(num_images=3), channels_last=channels_last
    )
    config = shapes_config(tmp_path, teacher)
    runner = train(config)
    assert runner.iter == 2
    text = logged(config, tmp_path)
    assert 'mAP 1.000 on the first 3 validation images, over 27 of 27 classes' in text


def test_classes_that_the_teacher_lacks_do_not_count(tmp_path):
    teacher = save_oracle(tmp_path / 'teacher.pth', CLASSES[5:15], verify=True)
    config = shapes_config(tmp_path, teacher)
    train(config)
    text = logged(config, tmp_path)
    assert 'mAP 1.000 on the first 6 validation images, over 10 of 27 classes' in text


@pytest.mark.parametrize('renamed', [[-1] * 27, [*range(1, 27), 0]])
def test_a_teacher_that_is_wrong_is_refused_before_training(tmp_path, renamed):
    """One that detects nothing, and one whose classes are in another order than its names."""
    teacher = save_oracle(tmp_path / 'teacher.pth', CLASSES, renamed=renamed, verify=True)
    config = shapes_config(tmp_path, teacher)
    with pytest.raises(
        CheckpointError,
        match=r'teacher.pth\) was refused: mAP 0.0.* below teacher.verify.min_map=0.1.*tools/test',
    ):
        train(config)
    assert not list(tmp_path.glob('work/*.pth')) and 'Iter(train)' not in logged(config, tmp_path)


def test_a_silently_random_teacher_is_refused(tmp_path):
    """A real detector, with channels-last weights, whose checkpoint fits and means nothing."""
    config = small_config(FASTER, num_classes=len(CLASSES))
    config.test_cfg.rcnn.score_thr = 0.0
    checkpoint = save_teacher(config, tmp_path / 'teacher.pth')
    teacher = dict(config=config, checkpoint=checkpoint, verify=True, channels_last=True)
    with pytest.raises(CheckpointError, match='was refused: mAP 0.0'):
        train(shapes_config(tmp_path, teacher))


def test_the_training_is_bit_for_bit_the_same(tmp_path):
    states = []
    for name, verify in (('without', False), ('with', dict(num_images=4, min_map=0.5))):
        teacher = save_oracle(tmp_path / 'teacher.pth', FOREIGN, verify=verify)
        runner = train(shapes_config(tmp_path / name, teacher))
        states.append((runner.model.state_dict(), torch.get_rng_state()))
    (first, first_rng), (second, second_rng) = states
    assert torch.equal(first_rng, second_rng)
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_a_run_without_validation_is_refused(tmp_path):
    config = shapes_config(tmp_path, save_oracle(tmp_path / 'teacher.pth', CLASSES, verify=True))
    for name in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        config.pop(name)
    with pytest.raises(ValueError, match='give the config val_dataloader and val_evaluator'):
        train(config)


def test_a_metric_without_map_is_refused(tmp_path):
    config = shapes_config(tmp_path, save_oracle(tmp_path / 'teacher.pth', CLASSES, verify=True))
    config.val_evaluator = dict(type='DumpProposals', output_dir=str(tmp_path))
    with pytest.raises(ValueError, match='got no mAP'):
        train(config)


def test_another_metric_has_a_map(tmp_path):
    """VOC's, which takes the ground truth from the samples."""
    config = shapes_config(tmp_path, save_oracle(tmp_path / 'teacher.pth', FOREIGN, verify=True))
    config.val_evaluator = dict(type='VOCMetric', metric='mAP')
    train(config)
    assert 'The teacher was verified: mAP 1.000' in logged(config, tmp_path)


def test_wrapped_validation_sets_are_refused(tmp_path):
    config = shapes_config(tmp_path, save_oracle(tmp_path / 'teacher.pth', CLASSES, verify=True))
    inner = config.val_dataloader.dataset
    config.val_dataloader.dataset = dict(type='RepeatDataset', times=1, dataset=inner)
    with pytest.raises(ValueError, match='cannot take the first images of a RepeatDataset'):
        train(config)


@pytest.mark.parametrize(
    ('verify', 'fault'),
    [
        ('yes', "verify='yes' is unknown"),
        (dict(images=3), 'is unknown. Give True'),
        (dict(num_images=0), 'num_images=0 must be a whole number'),
        (dict(min_map=40), 'min_map=40 must be a number between 0 and 1'),
    ],
)
def test_options(verify, fault):
    with pytest.raises(ValueError, match=fault):
        TeacherCheck.from_option(verify)


def test_off_and_on():
    assert TeacherCheck.from_option(False) is None
    assert TeacherCheck.from_option(True) == TeacherCheck(num_images=100, min_map=0.1)
