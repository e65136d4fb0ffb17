"""SafeCheckpointHook in several processes."""

from __future__ import annotations

import os
import resource

import pytest
import torch

from mmdet_kdrank.distributed import OtherRankError
from tests.distributed.ranks import run_ranks
from tests.runners import Act, Mean, make_runner, terminate, train, validation

# A rank that were left alone would wait for longer.
SECONDS = 60


def run(work_dir, *hooks, resume=False, **options):
    checkpoint = dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=1)
    arguments = dict(
        train_cfg=dict(by_epoch=True, max_epochs=2),
        default_hooks=dict(checkpoint=checkpoint),
        resume=resume,
    )
    hooks = [dict(type='RandomStateHook'), *hooks]
    return train(make_runner(Mean(), work_dir, hooks, **{**arguments, **options}))


def spoil(runner):
    runner.model.weight.data.fill_(float('nan'))


def fill_the_disk(runner):
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))


FAULTS = {
    'NaN': (
        spoil,
        FloatingPointError,
        'weight are not finite at iteration [0-9]+: this checkpoint is not written',
    ),
    'disk': (fill_the_disk, OSError, 'epoch_2.pth, .* cannot be written'),
}


def fail(rank, work_dir, fault):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        run(work_dir, *([Act('before_train_epoch', FAULTS[fault][0], 2)] if rank == 0 else []))
    finally:
        # What the test itself writes does get its place.
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize('fault', FAULTS)
def test_what_the_first_rank_cannot_write_stops_all(tmp_path, fault):
    _, kind, message = FAULTS[fault]
    first, second = run_ranks(2, fail, tmp_path, fault, seconds=SECONDS)
    with pytest.raises(kind, match=message):
        raise first
    with pytest.raises(OtherRankError, match=rf'^\[rank 0 of 2\] \w+Error: .*{message}'):
        raise second
    assert (tmp_path / 'epoch_1.pth').is_file()


def no_pointer(rank, work_dir):
    def block(runner):
        # MMEngine writes it in the first process alone, after the checkpoint.
        (work_dir / 'last_checkpoint').mkdir()

    run(work_dir, *([Act('before_train', block)] if rank == 0 else []))


def test_a_pointer_that_cannot_be_written_stops_all(tmp_path):
    first, second = run_ranks(2, no_pointer, tmp_path, seconds=SECONDS)
    assert isinstance(first, IsADirectoryError)
    assert isinstance(second, OtherRankError) and 'last_checkpoint' in str(second)


def resume(rank, work_dir):
    run(work_dir, resume=True)


def test_nothing_to_resume_from_stops_all(tmp_path):
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_7.pth'))
    for error in run_ranks(2, resume, tmp_path, seconds=SECONDS):
        with pytest.raises(RuntimeError, match='no checkpoint there can be read'):
            raise error


def stop_in_validation(rank, work_dir, batches, strike):
    """The first rank has a batch more."""
    validated = []
    hooks = [Act('after_val_iter', lambda runner: validated.append(rank))]
    if strike[0] == rank:
        hooks.append(Act('after_val_iter', terminate, strike[1]))
    try:
        run(work_dir, *hooks, **validation(batches, round_up=False))
    except SystemExit as stopped:
        return stopped.code, len(validated)
    return 0, len(validated)


@pytest.mark.parametrize(
    ('strike', 'iterations'),
    [((1, 1), (1, 1)), ((0, 2), (2, 2)), ((0, 3), (3, 2))],
    ids=['first', 'shared', 'unshared'],
)
def test_ranks_with_unlike_validations_stop_together(tmp_path, strike, iterations):
    results = run_ranks(2, stop_in_validation, tmp_path, 5, strike, seconds=SECONDS)
    assert results == [(143, iterations[0]), (143, iterations[1])]
    due = torch.load(tmp_path / 'preempted.pth', map_location='cpu')['meta']['validation_due']
    # On the batch that one rank alone has nobody asks: the validation ends first.
    assert due == (strike != (0, 3))
    assert (tmp_path / 'last_checkpoint').read_text() == os.fspath(tmp_path / 'preempted.pth')
