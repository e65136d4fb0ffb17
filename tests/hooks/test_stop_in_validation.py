"""A signal in a validation, and going on from there."""

from __future__ import annotations

import pytest
import torch

from tests.runners import Act, Mean, make_runner, terminate, train, validation
from tests.training import assert_same, weights

LOOPS = {
    'epochs': (dict(by_epoch=True, max_epochs=3), 'epoch_3.pth'),
    'iterations': (dict(by_epoch=False, max_iters=6, val_interval=2), 'iter_6.pth'),
}


def run(work_dir, loop, *hooks, resume=False):
    """Six iterations with a validation after each two; after how many one ended."""
    train_cfg, _ = LOOPS[loop]
    checkpoint = dict(type='SafeCheckpointHook', by_epoch=train_cfg['by_epoch'], interval=100)
    validated = []
    runner = make_runner(
        Mean(),
        work_dir,
        [
            dict(type='EMAHook', momentum=0.5),
            dict(type='RandomStateHook'),
            Act('before_train_iter', lambda runner: torch.rand(())),
            Act('after_val', lambda runner: validated.append(runner.iter)),
            *hooks,
        ],
        train_cfg=train_cfg,
        default_hooks=dict(checkpoint=checkpoint),
        resume=resume,
        **validation(),
    )
    try:
        train(runner)
    except SystemExit as stopped:
        assert stopped.code == 143
        assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'preempted.pth')
        validated.append('stopped')
    return validated


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The checkpoints of uninterrupted trainings."""
    folder = tmp_path_factory.mktemp('whole')
    for loop in LOOPS:
        assert run(folder / loop, loop) == [2, 4, 6]
    return {loop: folder / loop / last for loop, (_, last) in LOOPS.items()}


@pytest.mark.parametrize('loop', LOOPS)
@pytest.mark.parametrize(
    ('point', 'time', 'before', 'after'),
    [
        ('before_val', 2, [2], [4, 6]),
        # Of two batches a validation.
        ('after_val_iter', 1, [], [2, 4, 6]),
        ('after_val_iter', 4, [2], [4, 6]),
        ('after_val_iter', 5, [2, 4], [6]),
        # When all batches are through, it is over.
        ('after_val_epoch', 2, [2, 4], [6]),
    ],
)
def test_it_stops_there_and_does_the_validation_again(
    whole, tmp_path, loop, point, time, before, after
):
    assert run(tmp_path, loop, Act(point, terminate, time)) == [*before, 'stopped']
    assert run(tmp_path, loop, resume=True) == after
    assert_same(weights(tmp_path / whole[loop].name), weights(whole[loop]))


@pytest.mark.parametrize('loop', LOOPS)
def test_stopped_again_in_the_same_validation(whole, tmp_path, loop):
    assert run(tmp_path, loop, Act('after_val_iter', terminate, 3)) == [2, 'stopped']
    again = Act('after_val_iter', terminate, 1)
    assert run(tmp_path, loop, again, resume=True) == ['stopped']
    assert run(tmp_path, loop, resume=True) == [4, 6]
    assert_same(weights(tmp_path / whole[loop].name), weights(whole[loop]))
