"""FeatureMimicLoss against a double loop over positions."""

import pytest
import torch
from mmdet.registry import MODELS

from mmdet_kdrank.losses import FeatureMimicLoss
from tests.losses.test_feature_base import levels

NARROW, WIDE = 3, 5


def build(**options):
    config = dict(
        type='FeatureMimicLoss', student_channels=[NARROW] * 3, teacher_channels=[WIDE] * 3
    )
    return MODELS.build({**config, **options})


def oracle(loss, student, teacher):
    """Each position's channels through its level's matrix, compared one by one."""
    total = 0
    for adapter, s, t in zip(loss.adapters, student, teacher, strict=True):
        matrix, bias = adapter.weight[:, :, 0, 0].double(), adapter.bias.double()
        squares = [
            (matrix @ s[b, :, y, x].double() + bias - t[b, :, y, x].double()).square()
            for b in range(len(s))
            for y in range(s.shape[2])
            for x in range(s.shape[3])
        ]
        total = total + torch.cat(squares).mean()
    return total


def test_value_and_gradient():
    loss = build(loss_weight=0.5)
    student, teacher = levels(channels=NARROW), levels(channels=WIDE, seed=1)
    trained = [*loss.parameters(), *student]
    actual, expected = loss(student, teacher), 0.5 * oracle(loss, student, teacher)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-6)
    grads = torch.autograd.grad(actual, trained)
    for gradient, expected_gradient in zip(
        grads, torch.autograd.grad(expected, trained), strict=True
    ):
        assert gradient.ne(0).any()
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-6)


def test_chosen_levels_have_adapters_in_the_order_of_their_names():
    loss = build(
        student_channels=[4, NARROW], teacher_channels=[2, WIDE], levels=[2, 0], loss_weight=2.0
    )
    student = [*levels([(4, 4), (3, 3)], NARROW), *levels([(2, 2)], 4)]
    teacher = [*levels([(4, 4), (3, 3)], WIDE, seed=1), *levels([(2, 2)], 2, seed=1)]
    expected = 2 * oracle(loss, [student[2], student[0]], [teacher[2], teacher[0]])
    torch.testing.assert_close(loss(student, teacher).double(), expected, rtol=1e-5, atol=1e-6)


def test_an_adapter_learns_a_linear_map():
    torch.manual_seed(0)
    loss = FeatureMimicLoss([NARROW], [WIDE])
    (student,) = levels([(6, 6)], NARROW)
    teacher = torch.einsum('oc,bchw->bohw', torch.randn(WIDE, NARROW), student.detach()) + 0.3
    optimizer = torch.optim.LBFGS(loss.parameters(), max_iter=100)

    def closure():
        optimizer.zero_grad()
        value = loss([student], [teacher])
        value.backward()
        return value

    assert closure() > 0.1
    optimizer.step(closure)
    assert closure() < 1e-6


@pytest.mark.parametrize(
    'channels',
    [
        dict(student_channels=[3, 3]),
        dict(student_channels=[], teacher_channels=[]),
        dict(levels=[0, 1]),
    ],
)
def test_refuses_lists_of_different_length(channels):
    with pytest.raises(ValueError, match='must name the same number of levels'):
        build(**channels)


def test_refuses_necks_that_do_not_fit():
    student, teacher = levels(channels=NARROW), levels(channels=WIDE, seed=1)
    with pytest.raises(ValueError, match='in place 0 takes 7 channels.* Correct student_channels'):
        build(student_channels=[7] * 3)(student, teacher)
    with pytest.raises(ValueError, match='6 channels in the .* 5 in the .*Correct teacher_channel'):
        build(teacher_channels=[6] * 3)(student, teacher)
    with pytest.raises(ValueError, match='adapters for 3 levels, and the necks give 2'):
        build()(student[:2], teacher[:2])
