import shutil

import pytest
import torch

from mmdet_kdrank.runs.finished_run import FinishedRun, find_teacher
from tests.detectors import FASTER


@pytest.fixture
def copied(trained_run, tmp_path):
    """A run whose folder was moved."""
    folder = tmp_path / 'moved'
    shutil.copytree(trained_run(FASTER, taught=True), folder)
    return folder


def test_detector_has_the_last_weights_and_its_classes(trained_run):
    run = FinishedRun(trained_run(FASTER, taught=True))
    loaded = run.load('cpu')
    state = torch.load(run.checkpoint)['state_dict']
    assert run.checkpoint.name == 'iter_2.pth' and not loaded.model.training
    assert all(torch.equal(value, state[key]) for key, value in loaded.model.state_dict().items())
    assert len(loaded.classes) == 27
    assert run.distilled == ['loss_kd', 'loss_rank']


def test_a_moved_folder_has_its_checkpoint_beside_it(copied):
    (copied / 'last_checkpoint').write_text('/gone/iter_2.pth')
    assert FinishedRun(copied).checkpoint == copied / 'iter_2.pth'


def test_a_folder_without_config_or_checkpoint_is_refused(copied, tmp_path):
    with pytest.raises(FileNotFoundError, match='has no config'):
        _ = FinishedRun(tmp_path).config
    (copied / 'iter_2.pth').unlink()
    (copied / 'last_checkpoint').write_text('/gone/iter_2.pth')
    with pytest.raises(FileNotFoundError, match='last_checkpoint names .*iter_2.pth. Let the'):
        _ = FinishedRun(copied).checkpoint
    (copied / 'last_checkpoint').unlink()
    with pytest.raises(FileNotFoundError, match='it has no last_checkpoint'):
        _ = FinishedRun(copied).checkpoint
    shutil.copy(next(copied.glob('*.py')), copied / 'other.py')
    with pytest.raises(ValueError, match='several configs .*other.py'):
        _ = FinishedRun(copied).config


def test_the_teacher_is_the_configs_or_the_given_one(trained_run):
    alone, taught = (FinishedRun(trained_run(FASTER, taught=kind)) for kind in (False, True))
    assert find_teacher([alone, taught], None) == taught.teacher
    assert find_teacher([taught], alone.work_dir).checkpoint == str(alone.checkpoint)
    assert alone.teacher is None
    with pytest.raises(ValueError, match='--teacher'):
        find_teacher([alone], None)
