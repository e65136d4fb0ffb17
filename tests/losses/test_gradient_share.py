"""Where the gradient goes under rank and under KL: the claim, and the cases it does not cover."""

import pytest
import torch

from mmdet_kdrank.losses import KendallRankLoss
from tests.ops.oracle import SOFT


def rank_gradient(student, teacher, **options):
    student = student.clone().requires_grad_()
    loss = KendallRankLoss(reduction='sum', **options)(student, teacher)
    return torch.autograd.grad(loss, student)[0]


def kl_gradient(student, teacher):
    student = student.clone().requires_grad_()
    loss = torch.nn.functional.kl_div(
        student.log_softmax(1), teacher.softmax(1), reduction='batchmean'
    )
    return torch.autograd.grad(loss, student)[0]


@pytest.mark.parametrize('form', ['kendall', 'cosine'])
@pytest.mark.parametrize('surrogate', SOFT)
@pytest.mark.parametrize('standardize', [False, True])
def test_clustered_classes_of_low_probability_get_their_part(form, surrogate, standardize):
    """One right class, two like it, 78 wrong ones at p = 1e-9; the student is near the teacher."""
    generator = torch.Generator().manual_seed(0)
    cluster = -6 + 0.5 * torch.randn(78, generator=generator, dtype=torch.float64)
    teacher = torch.cat([torch.tensor([14.0, 12.0, 10.0]).double(), cluster])[None]
    student = teacher + 0.1 * torch.randn(1, 81, generator=generator, dtype=torch.float64)
    assert teacher.softmax(1)[0, 3:].max() < 1e-8

    def part(grad):
        return (grad[0, 3:].abs().sum() / grad.abs().sum()).item()

    rank = rank_gradient(student, teacher, form=form, surrogate=surrogate, standardize=standardize)
    assert part(kl_gradient(student, teacher)) < 1e-4
    assert part(rank) > 0.9
    assert rank[0, 3:].abs().mean() > 1e-4


def test_an_isolated_class_gets_less_than_from_kl():
    teacher = torch.tensor([[0.0, -1.0, -23.0]], dtype=torch.float64)
    student = teacher + torch.tensor([0.0, 0.0, 0.1])
    kl = kl_gradient(student, teacher)[0, 2].abs()
    assert 1e-12 < kl < 1e-10
    for surrogate in ('tanh', 'erf'):
        assert rank_gradient(student, teacher, surrogate=surrogate)[0, 2].abs() < 1e-3 * kl
    for surrogate in ('algebraic', 'atan'):
        assert rank_gradient(student, teacher, surrogate=surrogate)[0, 2].abs() > 1e-5


def test_tanh_gives_up_a_badly_misordered_pair():
    teacher = torch.tensor([[10.0, 0.0]], dtype=torch.float64)
    assert kl_gradient(-teacher, teacher)[0, 1] > 0.99
    assert rank_gradient(-teacher, teacher)[0, 1] < 1e-8
    # The mends: a heavier tail, a smaller steepness, standardised logits.
    assert rank_gradient(-teacher, teacher, surrogate='algebraic')[0, 1] > 5e-4
    assert rank_gradient(-teacher, teacher, steepness=0.1)[0, 1] > 1e-2
    for gap in (10.0, 20.0):
        wide = gap * torch.tensor([[1.0, 0.0, 0.4, 0.6]], dtype=torch.float64)
        plain = rank_gradient(-wide, wide)[0, :2].abs().max()
        standardized = rank_gradient(-wide, wide, standardize=True)[0, :2].abs().max()
        assert 4 * plain < standardized < 0.01 * kl_gradient(-wide, wide)[0, :2].abs().max()
