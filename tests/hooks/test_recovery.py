from __future__ import annotations

import pytest
import torch
from mmengine.logging import MMLogger

from mmdet_kdrank.errors import CheckpointAccessError, CheckpointError
from mmdet_kdrank.hooks.recovery import latest_readable

TEMPLATE = 'epoch_{}.pth'


@pytest.fixture
def folder(tmp_path):
    """A function that writes checkpoints, whole ones and torn ones, and ``last_checkpoint``."""

    def make(whole=(), torn=(), last=None):
        for name in (*whole, *torn):
            torch.save(dict(state_dict=dict(w=torch.zeros(1000)), meta={}), tmp_path / name)
        for name in torn:
            content = (tmp_path / name).read_bytes()
            (tmp_path / name).write_bytes(content[: len(content) // 2])
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
    ],
)
def test_the_newest_readable_one_is_chosen(folder, whole, torn, last, chosen):
    work_dir = folder(whole, torn, last)
    assert latest_readable(work_dir, TEMPLATE) == str(work_dir / chosen)


def test_nothing_to_resume(folder):
    assert latest_readable(folder(['epoch_1.pth']), TEMPLATE) is None


def test_another_storage_is_left_to_mmengine(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('s3://bucket/run/epoch_2.pth')
    assert latest_readable(tmp_path, TEMPLATE) is None


def test_every_torn_file_is_named(folder, caplog):
    work_dir = folder(['epoch_1.pth'], ['epoch_2.pth', 'epoch_3.pth'], 'epoch_3.pth')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        latest_readable(work_dir, TEMPLATE)
    finally:
        logger.removeHandler(caplog.handler)
    assert [name in caplog.text for name in ('epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth')] == [
        False,
        True,
        True,
    ]


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
