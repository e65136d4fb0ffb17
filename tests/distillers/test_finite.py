from __future__ import annotations

import pytest
import torch
from torch import nn

from mmdet_kdrank.distillers.finite import (
    FiniteGuard,
    describe_nonfinite,
    describe_nonfinite_weights,
)

NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize('value', [NAN, INF, -INF])
def test_the_tensor_at_fault_is_named_and_its_values_counted(value):
    wrong = torch.tensor([[1.0, value], [value, 2.0]])
    found = describe_nonfinite({'the first': torch.ones(3), 'the second': wrong, 'third': wrong})
    assert found == '2 of 4 values of the second are not finite'


def test_finite_and_empty_tensors_of_any_dtype_pass():
    assert describe_nonfinite({}) is None
    extremes = dict(
        none=torch.zeros(0, 4),
        some=torch.tensor(-1e30, requires_grad=True),
        half=torch.tensor([6e4], dtype=torch.float16),
        large=torch.tensor([3e38], dtype=torch.bfloat16),
        count=torch.tensor([2**62]),
    )
    assert describe_nonfinite(extremes) is None


def test_weights_and_buffers_are_looked_at():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert describe_nonfinite_weights(model, "the student's") is None
    model[1].running_var[1] = INF
    found = describe_nonfinite_weights(model, "the student's")
    assert found == "1 of 2 values of the student's weight 1.running_var are not finite"


def guarded(action, student=1.0, teacher=1.0, value=1.0, weight=1.0):
    """Ask a guard about one head; the guard, its answer, the settled losses, the student."""
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight[0, 0] = weight
    guard = FiniteGuard(action)
    passes = guard.passes(
        torch.tensor([[student, 0.0]]),
        torch.tensor([[teacher, 0.0]]),
        dict(loss_kd=torch.tensor(value)),
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


def test_iterations_are_counted():
    guard, _, _, model = guarded('skip', teacher=NAN)
    assert guard.settle(dict(loss=torch.ones(())), model)['distill_nonfinite'] == 1
    for count in (2, 3):
        for _ in range(2):  # two heads of one iteration
            guard.passes(torch.ones(1, 2), torch.full((1, 2), NAN), {}, {})
        assert guard.settle(dict(loss=torch.ones(())), model)['distill_nonfinite'] == count


def test_an_unknown_action_is_refused():
    with pytest.raises(ValueError, match="on_nonfinite='ignore' is unknown; choose one of raise"):
        FiniteGuard('ignore')
