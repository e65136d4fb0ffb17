from __future__ import annotations

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmdet_kdrank.distillers.finite_guard import (
    Checked,
    FiniteGuard,
    Silence,
    weight_fault,
)
from tests.detectors import (
    CASCADE,
    FASTER,
    KD,
    RETINA,
    build,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
    training_losses,
)
from tests.distributed.ranks import run_ranks

NAN, INF = float('nan'), float('inf')


def test_weights_and_buffers_are_looked_at():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert weight_fault(model, 'student') is None
    model[1].running_var[1] = INF
    fault = weight_fault(model, 'student')
    assert fault.text == "1 of 2 values of the student's weight 1.running_var are not finite"


def guarded(action, student=1.0, teacher=1.0, value=1.0, weight=1.0):
    """Ask a guard about one head; the guard, its answer, the settled losses, the student."""
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight[0, 0] = weight
    guard = FiniteGuard(action)
    passes = guard.passes(
        [
            Checked(
                'student', "the student's logits behind loss_kd", torch.tensor([[student, 0.0]])
            ),
            Checked(
                'teacher', "the teacher's logits behind loss_kd", torch.tensor([[teacher, 0.0]])
            ),
            Checked('loss', 'the value of loss_kd', torch.tensor(value)),
        ],
        dict(student=model),
    )
    losses = dict(loss_cls=model.weight.sum(), loss_mask=[torch.ones(()), torch.ones(())], acc=3.0)
    return guard, passes, guard.settle(losses, model), model


@pytest.mark.parametrize('action', ['raise', 'skip'])
def test_what_is_finite_passes(action):
    _, passes, losses, model = guarded(action)
    assert passes
    assert losses['loss_cls'] == model.weight.sum()
    assert losses.get('distill_nonfinite') == (None if action == 'raise' else 0)


@pytest.mark.parametrize(
    ('fault', 'message'),
    [
        (dict(student=NAN), "1 of 2 values of the student's logits behind loss_kd"),
        (dict(teacher=INF), "1 of 2 values of the teacher's logits behind loss_kd"),
        (dict(value=NAN), '1 of 1 values of the value of loss_kd'),
    ],
)
def test_raise_names_the_fault_and_the_mend(fault, message):
    with pytest.raises(FloatingPointError, match=f"^{message}.*on_nonfinite='skip'"):
        guarded('raise', **fault)


@pytest.mark.parametrize('action', ['raise', 'skip'])
def test_weights_that_are_not_finite_stop_the_run(action):
    with pytest.raises(FloatingPointError, match="; 1 of 4 values of the student's weight weight"):
        guarded(action, student=NAN, weight=NAN)


@pytest.mark.parametrize('fault', [dict(teacher=INF), dict(value=NAN)])
def test_skip_leaves_the_students_own_losses(fault):
    guard, passes, losses, model = guarded('skip', **fault)
    assert not passes
    assert losses['loss_cls'] == model.weight.sum()
    assert losses['distill_nonfinite'] == guard.skipped == 1
    assert 'loss' not in 'distill_nonfinite'


def test_skip_takes_all_losses_where_the_students_logits_are_at_fault():
    _, passes, losses, model = guarded('skip', student=NAN)
    assert not passes
    assert losses['loss_cls'] == losses['loss_mask'] == 0
    assert losses['acc'] == 3.0
    losses['loss_cls'].backward()
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in model.parameters())


@pytest.mark.parametrize(
    ('losses', 'named'),
    [
        (dict(loss_cls=torch.tensor(1.0), loss_bbox=torch.tensor(NAN)), 'loss_bbox'),
        (dict(loss_rpn_cls=[torch.ones(()), torch.tensor(INF)]), r'loss_rpn_cls\[1\]'),
        (dict(loss_iou=torch.tensor([1.0, NAN])), 'loss_iou'),
    ],
)
def test_the_students_own_losses_are_looked_at(losses, named):
    model = nn.Linear(2, 2)
    message = f"^1 of 1 values of the student's own {named} are not.*boxes of the training set"
    guard = FiniteGuard('raise')
    guard.watch(losses)
    with pytest.raises(FloatingPointError, match=message):
        guard.passes([], dict(student=model))
    guard = FiniteGuard('skip')
    guard.watch({**losses, 'acc': 3.0})
    # A fault of the teacher in the same iteration hides it not.
    teachers = [Checked('teacher', "the teacher's logits", torch.tensor([NAN]))]
    assert not guard.passes(teachers, dict(student=model))
    assert guard.passes([], dict(student=model))
    settled = guard.settle({**losses, 'acc': 3.0}, model)
    assert settled.pop('distill_nonfinite') == guard.skipped == 1
    assert settled.pop('acc') == 3.0
    assert all(value == 0 for value in settled.values())


@pytest.fixture
def told(monkeypatch):
    """Texts that the guard logs."""
    texts = []
    monkeypatch.setattr(
        'mmdet_kdrank.distillers.finite_guard.print_log', lambda text, **_: texts.append(text)
    )
    return texts


def test_a_loss_that_stays_0_is_told_once(told):
    silence = Silence(iterations=2)
    for loss_kd in (0.0, 0.0, 1.0):
        values = dict(loss_kd=torch.tensor(loss_kd), loss_rank=torch.zeros(()), loss_cls=1)
        silence(values, ['loss_kd', 'loss_rank'])
    (text,) = told
    assert 'first 2 iterations: loss_kd, loss_rank. So the student learns' in text
    silence = Silence(iterations=2)
    for loss_rank in (0.0, 1.0, 0.0):
        silence(dict(loss_rank=torch.tensor(loss_rank)), ['loss_rank'])
    assert len(told) == 1


def test_iterations_are_counted():
    guard, _, _, model = guarded('skip', teacher=NAN)
    assert guard.settle(dict(loss=torch.ones(())), model)['distill_nonfinite'] == 1
    for count in (2, 3):
        for _ in range(2):  # two heads of one iteration
            guard.passes([Checked('teacher', 'the logits', torch.full((1, 2), NAN))], {})
        assert guard.settle(dict(loss=torch.ones(())), model)['distill_nonfinite'] == count


def test_causes_are_looked_at_where_there_is_a_fault():
    guard, asked = FiniteGuard('raise'), []

    def causes():
        asked.append(1)
        return [Checked('student', "level 0 of the student's features", torch.tensor([NAN]))]

    assert guard.passes([Checked('loss', 'the value of loss_pkd', torch.ones(()))], {}, causes)
    assert not asked
    with pytest.raises(FloatingPointError, match="^1 of 1 values of level 0 of the student's feat"):
        guard.passes([Checked('loss', 'the value of loss_pkd', torch.tensor(NAN))], {}, causes)


def with_an_own_loss(rank, action):
    losses = dict(loss_cls=torch.tensor(1.0), loss_bbox=torch.tensor(NAN if rank else 1.0))
    guard, model = FiniteGuard(action), nn.Linear(1, 1)
    guard.watch(losses)
    guard.passes([], dict(student=model))
    return guard.settle(losses, model)['loss_cls'].item()


def test_an_own_loss_of_one_rank_stops_all_or_is_left_out_there():
    first, second = run_ranks(2, with_an_own_loss, 'raise')
    assert isinstance(first, FloatingPointError) and str(first) == str(second)
    assert str(first).startswith("[rank 1 of 2] 1 of 1 values of the student's own loss_bbox")
    assert run_ranks(2, with_an_own_loss, 'skip') == [1.0, 0.0]


def on_rank(rank, wrong, action):
    # The second rank has no rows at all.
    rows = torch.empty(0, 3)
    if rank == 0:
        rows = torch.full((2, 3), NAN if wrong else 0.0)
    return FiniteGuard(action).passes([Checked('student', 'the logits', rows)], {})


def test_a_value_on_one_rank_stops_all():
    assert run_ranks(2, on_rank, False, 'raise') == [True, True]
    first, second = run_ranks(2, on_rank, True, 'raise')
    assert isinstance(first, FloatingPointError) and isinstance(second, FloatingPointError)
    assert str(first) == str(second)
    assert str(first).startswith('[rank 0 of 2] 6 of 6 values of the logits are not finite.')


def test_a_rank_skips_by_itself():
    assert run_ranks(2, on_rank, True, 'skip') == [False, True]


def with_a_wrong_weight(rank):
    model = torch.nn.Linear(1, 1)
    rows = torch.zeros(1)
    if rank == 1:
        model.bias.data.fill_(NAN)
        rows = rows + NAN
    return FiniteGuard('skip').passes([Checked('student', 'the logits', rows)], {'student': model})


def test_a_wrong_weight_on_one_rank_stops_all_that_skip():
    first, second = run_ranks(2, with_a_wrong_weight)
    assert isinstance(first, FloatingPointError) and str(first) == str(second)
    assert '[rank 1 of 2]' in str(first) and "the student's weight bias" in str(first)


def test_an_unknown_action_is_refused():
    with pytest.raises(ValueError, match="on_nonfinite='ignore' is unknown; choose one of raise"):
        FiniteGuard('ignore')


def teacher(name, folder):
    config = small_config(name, width=8)
    return config, save_teacher(config, folder / 'teacher.pth')


def class_layer(model):
    if hasattr(model, 'roi_head'):
        heads = model.roi_head.bbox_head
        return (heads[1] if isinstance(heads, nn.ModuleList) else heads).fc_cls
    return model.bbox_head.retina_cls


@pytest.mark.parametrize('name', [FASTER, CASCADE, RETINA])
@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_skip_leaves_one_iteration_out_and_counts_it(tmp_path, name, side):
    model = build(
        distiller_config(small_config(name), *teacher(name, tmp_path), on_nonfinite='skip')
    )
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    layer = class_layer(model if side == 'student' else model.teacher_session.model)
    logged = []
    for step in range(3):
        before = copy.deepcopy(model.state_dict())
        spoil = layer.register_forward_hook(lambda *args: args[-1] * float('nan'))
        if step != 1:
            spoil.remove()
        logged.append(model.train_step(raw_batch(seed=step), wrapper))
        spoil.remove()
        after = model.state_dict()
        trained = [key for key, p in model.named_parameters() if p.requires_grad]
        still = all(torch.equal(after[key], before[key]) for key in trained)
        assert still == (step == 1 and side == 'student')
        assert all(value.isfinite().all() for value in after.values())
    assert [step['distill_nonfinite'] for step in logged] == [0, 1, 1]
    prefix = 's1.' if name == CASCADE else ''
    assert [float(step[f'{prefix}loss_rank']) > 0 for step in logged] == [True, False, True]
    own = [key for key in logged[0] if 'loss' in key and 'kd' not in key and 'rank' not in key]
    assert all(bool(logged[1][key]) == (side == 'teacher') for key in own if logged[0][key])
    assert all(torch.as_tensor(value).isfinite().all() for s in logged for value in s.values())


@pytest.mark.skipif(not hasattr(torch.amp, 'GradScaler'), reason='before torch 2.3 on GPUs alone')
@pytest.mark.parametrize('action', ['raise', 'skip'])
def test_an_overflow_of_scaled_gradients_is_no_fault(tmp_path, action):
    """GradScaler leaves such a step out and lowers its scale, as it was made to."""
    losses = dict(loss_kd={**KD, 'loss_weight': 100.0})
    config = distiller_config(
        small_config(FASTER), *teacher(FASTER, tmp_path), on_nonfinite=action, distill_losses=losses
    )
    model = build(config)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler('cpu', init_scale=2.0**127, backoff_factor=2.0**-100)
    weights = []
    for seed in range(2):
        before = model.roi_head.bbox_head.fc_cls.weight.detach().clone()
        losses = training_losses(model, seed=seed)
        total, _ = model.parse_losses(losses)
        scaler.scale(total).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        weights.append(torch.equal(before, model.roi_head.bbox_head.fc_cls.weight))
    assert weights == [True, False]
    assert losses.get('distill_nonfinite', 0) == 0
    assert scaler.get_scale() == 2.0**27


@pytest.mark.parametrize('action', ['raise', 'skip'])
def test_a_loss_of_the_boxes_is_no_longer_silent(tmp_path, action):
    """Its logits are finite, so that nothing else is: it would be NaN for a whole run."""
    model = build(
        distiller_config(small_config(FASTER), *teacher(FASTER, tmp_path), on_nonfinite=action)
    )
    model.roi_head.bbox_head.fc_reg.register_forward_hook(lambda *args: args[-1] * NAN)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    if action == 'raise':
        with pytest.raises(FloatingPointError, match="of the student's own loss_bbox are not"):
            model.train_step(raw_batch(), wrapper)
        return
    log = model.train_step(raw_batch(), wrapper)
    assert log['distill_nonfinite'] == 1 and log['loss'] == 0
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_a_selector_that_chooses_nothing_is_told(tmp_path, monkeypatch, told):
    model = build(distiller_config(small_config(FASTER), *teacher(FASTER, tmp_path)))
    model.distill_terms.guard = FiniteGuard('raise')
    monkeypatch.setattr(model.distill_terms.guard, '_silence', Silence(1))
    model.distill_terms.selector = lambda samples: samples.take(torch.zeros(0, dtype=torch.long))
    training_losses(model)
    (text,) = told
    assert 'first 1 iterations: loss_kd, loss_rank. So the student' in text
