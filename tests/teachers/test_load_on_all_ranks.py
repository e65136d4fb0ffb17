"""Loading the teacher on several ranks: all of them, or none."""

from __future__ import annotations

import os

import pytest
import torch

from mmdet_kdrank.teachers.teacher import TeacherSource, load_on_all_ranks
from tests.detectors import RETINA, save_teacher, small_config
from tests.distributed.ranks import run_ranks


@pytest.fixture
def teacher(tmp_path):
    config = small_config(RETINA)
    return config, save_teacher(config, tmp_path / 'teacher.pth')


def load(rank, config, paths, local_ranks):
    os.environ['LOCAL_RANK'] = str(local_ranks[rank])
    teacher = load_on_all_ranks(TeacherSource(config, paths[rank]))
    return float(teacher.model.bbox_head.retina_cls.bias.sum())


def test_alone_it_is_loaded_as_ever(teacher):
    assert load_on_all_ranks(TeacherSource(*teacher)).checkpoint == teacher[1]


@pytest.mark.parametrize('local_ranks', [(0, 1), (0, 0)])
def test_every_rank_has_it(teacher, local_ranks):
    config, path = teacher
    bias = torch.load(path)['state_dict']['bbox_head.retina_cls.bias'].sum()
    got = run_ranks(2, load, config, [path, path], local_ranks)
    assert got == [pytest.approx(float(bias))] * 2


@pytest.mark.parametrize('failing', [0, 1])
def test_a_file_missing_on_one_rank_stops_all(teacher, failing):
    config, path = teacher
    paths = [path, path]
    paths[failing] = 'gone/teacher.pth'
    errors = run_ranks(2, load, config, paths, (0, 1))
    assert [type(error).__name__ for error in errors][failing] == 'CheckpointError'
    other = errors[1 - failing]
    assert type(other).__name__ == 'OtherRankError'
    assert f'[rank {failing} of 2] CheckpointError: Checkpoint gone/teacher.pth' in str(other)


def test_other_keys_on_one_rank_stop_all(teacher, tmp_path):
    config, path = teacher
    state = torch.load(path)
    del state['state_dict']['bbox_head.retina_cls.bias']
    torch.save(state, tmp_path / 'cut.pth')
    errors = run_ranks(2, load, config, [path, str(tmp_path / 'cut.pth')], (0, 0))
    assert all('1 missing keys (bbox_head.retina_cls.bias)' in str(error) for error in errors)
    assert str(errors[0]).startswith('[rank 1 of 2] ArgumentError: ')


@pytest.mark.parametrize(
    ('change', 'what'), [(dict(seed=5), 'weights'), (dict(meta=dict(classes='abcde')), 'class')]
)
def test_another_teacher_on_one_rank_stops_all(teacher, tmp_path, change, what):
    config, path = teacher
    other = save_teacher(config, tmp_path / 'other.pth', **change)
    errors = run_ranks(2, load, config, [path, other], (0, 0))
    assert all('rank 1 of 2 loaded from' in str(error) for error in errors), errors
    assert all(f'has other {what}' in str(error) for error in errors)
