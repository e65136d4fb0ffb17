import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.registry import HOOKS

import mmdet_kdrank  # noqa: F401  registers detectors and hooks
from tests.detectors import RETINA, distiller_config, save_teacher, small_config
from tests.runners import make_runner

DOCS = Path(__file__).parents[2] / 'docs' / 'how_to' / 'schedules.md'


def linear(begin, end, start_factor, end_factor, by_epoch=False):
    return dict(
        type='linear',
        begin=begin,
        end=end,
        start_factor=start_factor,
        end_factor=end_factor,
        by_epoch=by_epoch,
    )


def constant(begin, factor, by_epoch=False):
    return dict(type='constant', begin=begin, factor=factor, by_epoch=by_epoch)


def hook(**schedules):
    return dict(type='DistillWeightHook', schedules=schedules)


ALL_KINDS = hook(
    loss_rank=[linear(0, 3, 0, 1), constant(3, 0.5)],
    loss_kd=[constant(2, 0, by_epoch=True)],
    loss_pkd=[{**linear(1, 4, 1, 0), 'type': 'cosine'}],
)


@pytest.fixture
def student(tmp_path):
    teacher = small_config(RETINA, width=8)
    return distiller_config(
        small_config(RETINA),
        teacher,
        save_teacher(teacher, tmp_path / 'teacher.pth'),
        distill_features=dict(loss_pkd=dict(type='PKDLoss')),
    )


def epochs(count):
    """Of two iterations each."""
    return dict(by_epoch=True, max_epochs=count)


def logged(work_dir):
    """Iterations in the log, unsmoothed: MMEngine's window is set to one."""
    lines = next(work_dir.rglob('scalars.json')).read_text().splitlines()
    return [json.loads(line) for line in lines]


EXACT = dict(log_processor=dict(type='LogProcessor', window_size=1))


def test_losses_follow_their_schedules(student, tmp_path):
    make_runner(student, tmp_path, [ALL_KINDS], train_cfg=epochs(3), **EXACT).train()
    log = logged(tmp_path)
    factors = {
        key: [line[f'distill_factor.{key}'] for line in log] for key in ALL_KINDS['schedules']
    }
    assert factors == dict(
        loss_rank=[0, 0.5, 1, 0.5, 0.5, 0.5],
        loss_kd=[1, 1, 1, 1, 0, 0],
        loss_pkd=[1, 1, 0.5, 0, 0, 0],
    )
    for key, values in factors.items():
        assert [line[key] > 0 for line in log] == [value > 0 for value in values]
    # Weights are not moved: the third iteration's rank loss is the whole loss.
    assert log[2]['loss_rank'] > 1.5 * log[3]['loss_rank']


def test_a_factor_of_one_changes_nothing(student, tmp_path):
    runs = []
    for name, hooks in (('plain', []), ('one', [hook(loss_rank=[constant(0, 1)])])):
        runner = make_runner(student, tmp_path / name, hooks)
        runs.append(runner.train().state_dict())
    assert all(torch.equal(value, runs[1][key]) for key, value in runs[0].items())


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_resumed_run_equals_an_uninterrupted_one(student, tmp_path, by_epoch):
    hooks = [ALL_KINDS] if by_epoch else [hook(loss_rank=ALL_KINDS['schedules']['loss_rank'])]
    whole = epochs(3) if by_epoch else dict(by_epoch=False, max_iters=6)
    checkpoint = dict(type='CheckpointHook', by_epoch=by_epoch, interval=1 if by_epoch else 2)
    logger = dict(type='LoggerHook', interval=1)
    options = dict(default_hooks=dict(checkpoint=checkpoint, logger=logger), train_cfg=whole)
    expected = make_runner(student, tmp_path / 'whole', hooks, **options, **EXACT).train()
    half = tmp_path / 'whole' / ('epoch_1.pth' if by_epoch else 'iter_2.pth')
    runner = make_runner(
        student, tmp_path / 'resumed', hooks, **options, **EXACT, resume=True, load_from=str(half)
    )
    state = runner.train().state_dict()
    for resumed_line, whole_line in zip(
        logged(tmp_path / 'resumed'), logged(tmp_path / 'whole')[2:], strict=True
    ):
        same = {'step', 'loss', 'loss_rank', 'distill_factor.loss_rank'}
        assert {key: resumed_line[key] for key in same} == {key: whole_line[key] for key in same}
    assert all(torch.equal(value, state[key]) for key, value in expected.state_dict().items())


@pytest.mark.parametrize(
    ('hooks', 'message'),
    [
        (
            hook(loss_rnak=[constant(0, 1)]),
            'loss_rnak: neither .* Choose one of loss_kd, loss_rank, loss_pkd',
        ),
        (hook(loss_kd=[constant(4, 0)]), 'loss_kd needs 5 iterations, .* ends after 4'),
        (hook(loss_kd=[linear(0, 5, 0, 1)]), 'loss_kd needs 5 iterations, .* ends after 4'),
        (
            hook(loss_pkd=[constant(2, 0, by_epoch=True)]),
            'loss_pkd needs 3 epochs, .* after 2',
        ),
    ],
)
def test_schedules_that_do_not_fit_are_refused_before_training(student, tmp_path, hooks, message):
    runner = make_runner(student, tmp_path, [hooks], train_cfg=epochs(2))
    steps = []
    runner.model.train_step = lambda *_, **__: steps.append(1)
    with pytest.raises(ValueError, match=f'DistillWeightHook.schedules.{message}'):
        runner.train()
    assert not steps


def test_a_schedule_may_end_with_training(student, tmp_path):
    runner = make_runner(student, tmp_path, [hook(loss_kd=[linear(0, 2, 0, 1)])])
    runner.train()
    assert runner.model.distill_factors == dict(loss_kd=1.0, loss_rank=1.0, loss_pkd=1.0)


def test_epochs_in_an_iteration_based_loop_are_refused(student, tmp_path):
    hooks = [hook(loss_kd=[constant(1, 0, by_epoch=True)])]
    runner = make_runner(student, tmp_path, hooks, train_cfg=dict(by_epoch=False, max_iters=4))
    with pytest.raises(ValueError, match='needs 2 epochs, .* ends after 1.*correct by_epoch'):
        runner.train()


def test_a_bad_piece_is_named_with_its_entry():
    with pytest.raises(ValueError, match='DistillWeightHook.schedules.loss_kd: piece 0: factor=-1'):
        HOOKS.build(hook(loss_kd=[constant(0, -1)]))


def test_a_stock_detector_is_refused(tmp_path):
    runner = make_runner(small_config(RETINA), tmp_path, [hook(loss_kd=[constant(0, 1)])])
    with pytest.raises(TypeError, match='DistillWeightHook needs .* is a RetinaNet. Remove the ho'):
        runner.train()


def test_the_example_of_the_docs_does_what_its_comments_say():
    example, *_ = re.findall(r'```python\n(.*?)```', DOCS.read_text(), re.DOTALL)
    config = {}
    exec(example, config)
    (schedules,) = (HOOKS.build(hook).schedules for hook in config['custom_hooks'])
    warm_up, decay = schedules['loss_rank'], schedules['loss_pkd']
    assert [warm_up(iteration) for iteration in (0, 999, 10**6)] == [0, 1, 1]
    assert [decay(epoch) for epoch in (0, 5, 6, 9, 10, 11)] == [1, 1, 1, 0.1, 0, 0]
    assert not warm_up.by_epoch and decay.by_epoch
