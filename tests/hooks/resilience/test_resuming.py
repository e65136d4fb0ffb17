from __future__ import annotations

import os

import pytest
import torch
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader, Dataset

from mmdet_kdrank.errors import CheckpointAccessError, CheckpointError
from mmdet_kdrank.hooks.resilience.resuming import RestOfEpoch, latest_readable

TEMPLATE = 'epoch_{}.pth'


@pytest.fixture
def folder(tmp_path):
    """A function that writes checkpoints, whole ones and torn ones, and ``last_checkpoint``.

    They are written in this order, a second apart.
    """

    def make(whole=(), torn=(), last=None):
        for second, name in enumerate((*whole, *torn)):
            torch.save(dict(state_dict=dict(w=torch.zeros(1000)), meta={}), tmp_path / name)
            if name in torn:
                os.truncate(tmp_path / name, (tmp_path / name).stat().st_size // 2)
            os.utime(tmp_path / name, (second, second))
        if last is not None:
            (tmp_path / 'last_checkpoint').write_text(last and str(tmp_path / last))
        return tmp_path

    return make


@pytest.mark.parametrize(
    ('whole', 'torn', 'last', 'chosen'),
    [
        # As MMEngine: what last_checkpoint names.
        (['epoch_1.pth', 'epoch_2.pth'], [], 'epoch_2.pth', 'epoch_2.pth'),
        # An older, longer run left epoch_9.
        (['epoch_2.pth', 'epoch_9.pth'], [], 'epoch_2.pth', 'epoch_2.pth'),
        (['epoch_2.pth', 'epoch_9.pth'], ['epoch_3.pth'], 'epoch_3.pth', 'epoch_2.pth'),
        (['epoch_9.pth', 'epoch_10.pth'], ['epoch_11.pth'], 'epoch_11.pth', 'epoch_10.pth'),
        (['epoch_1.pth'], ['epoch_2.pth', 'epoch_3.pth'], 'epoch_3.pth', 'epoch_1.pth'),
        # Named and removed since.
        (['epoch_1.pth'], [], 'epoch_2.pth', 'epoch_1.pth'),
        (['epoch_1.pth', 'epoch_2.pth'], ['preempted.pth'], 'preempted.pth', 'epoch_2.pth'),
        # Killed while last_checkpoint was written.
        (['epoch_1.pth', 'epoch_2.pth', 'best_epoch_7.pth'], [], '', 'epoch_2.pth'),
        # The same three, where an older, longer run left epoch_12.
        (['epoch_12.pth', 'epoch_3.pth'], ['preempted.pth'], 'preempted.pth', 'epoch_3.pth'),
        (['epoch_12.pth', 'epoch_3.pth'], [], 'preempted.pth', 'epoch_3.pth'),
        (['epoch_12.pth', 'epoch_3.pth'], [], '', 'epoch_3.pth'),
        (['epoch_12.pth', 'epoch_3.pth'], ['epoch_4.pth'], '', 'epoch_3.pth'),
    ],
)
def test_the_newest_readable_one_is_chosen(folder, whole, torn, last, chosen):
    work_dir = folder(whole, torn, last)
    assert latest_readable(work_dir, TEMPLATE) == str(work_dir / chosen)


def test_of_those_written_at_the_same_time_the_highest_is_chosen(folder):
    """As after a copy to where times are coarse."""
    work_dir = folder(['epoch_9.pth', 'epoch_10.pth', 'epoch_2.pth'], [], '')
    for path in work_dir.glob('*.pth'):
        os.utime(path, (7, 7))
    assert latest_readable(work_dir, TEMPLATE) == str(work_dir / 'epoch_10.pth')


def test_nothing_to_resume(folder):
    assert latest_readable(folder(['epoch_1.pth']), TEMPLATE) is None


def test_another_storage_is_left_to_mmengine(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('s3://bucket/run/epoch_2.pth')
    assert latest_readable(tmp_path, TEMPLATE) is None


@pytest.fixture
def warnings(caplog):
    """A function that tells what was logged."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield lambda: [record.getMessage() for record in caplog.records]
    logger.removeHandler(caplog.handler)


def test_every_torn_file_is_named_and_the_one_taken(folder, warnings):
    work_dir = folder(['epoch_1.pth'], ['epoch_2.pth', 'epoch_3.pth'], 'epoch_3.pth')
    latest_readable(work_dir, TEMPLATE)
    third, second, taken = warnings()
    assert 'epoch_3.pth' in third and 'epoch_2.pth' in second
    assert taken.startswith(f'Resuming from {work_dir / "epoch_1.pth"}')


def test_an_empty_last_checkpoint_is_told(folder, warnings):
    latest_readable(folder(['epoch_1.pth'], [], ''), TEMPLATE)
    empty, taken = warnings()
    assert 'last_checkpoint is empty' in empty
    assert 'epoch_1.pth' in taken and 'Pass another path to --resume' in taken


@pytest.mark.parametrize('prefix', ['', './'])
def test_of_a_good_one_nothing_is_said(folder, warnings, monkeypatch, prefix):
    monkeypatch.chdir(folder(['epoch_1.pth']))
    (folder() / 'last_checkpoint').write_text(f'{prefix}epoch_1.pth')
    assert latest_readable('.', TEMPLATE) == 'epoch_1.pth'
    assert not warnings()


def test_where_none_can_be_read_that_is_an_error(folder):
    work_dir = folder([], ['epoch_1.pth', 'epoch_2.pth'], 'epoch_2.pth')
    with pytest.raises(CheckpointError, match=r'\(epoch_2.pth, epoch_1.pth\).*without --resume'):
        latest_readable(work_dir, TEMPLATE)


@pytest.mark.parametrize('error', [MemoryError(), OSError(5, 'Input/output error')])
def test_a_whole_file_that_cannot_be_read_now_is_not_passed_over(folder, monkeypatch, error):
    work_dir = folder(['epoch_1.pth', 'epoch_2.pth'], [], 'epoch_2.pth')

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torch, 'load', fail)
    with pytest.raises(CheckpointAccessError, match='epoch_2.pth cannot be read on this machine'):
        latest_readable(work_dir, TEMPLATE)


def test_a_template_with_digits(folder):
    work_dir = folder(['it-0002.pth'], ['it-0010.pth'], 'it-0010.pth')
    assert latest_readable(work_dir, 'it-{:04d}.pth') == str(work_dir / 'it-0002.pth')


class Drawing(Dataset):
    """Each sample is its index and a random number."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return index, torch.rand(()).item()


def loader(workers):
    return DataLoader(
        Drawing(), 2, num_workers=workers, worker_init_fn=lambda worker: torch.manual_seed(worker)
    )


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('done', [1, 4, 6])
def test_goes_on_as_the_whole_epoch(workers, done):
    """With the random state of the point at which it was left."""
    torch.manual_seed(0)
    batches, states = [], []
    for batch in loader(workers):
        batches.append(batch)
        states.append(torch.get_rng_state())
    torch.manual_seed(99)
    torch.set_rng_state(states[done - 1])
    rest = list(RestOfEpoch(loader(workers), done))
    assert len(rest) == 6 - done
    for (index, drawn), (expected, as_drawn) in zip(rest, batches[done:], strict=True):
        assert torch.equal(index, expected)
        assert torch.equal(drawn, as_drawn)


def test_is_the_loader_otherwise():
    whole = loader(0)
    rest = RestOfEpoch(whole, 2)
    assert len(rest) == len(whole) == 6
    assert rest.dataset is whole.dataset
    assert rest.sampler is whole.sampler
