"""What every loss on features does around its formula."""

import pytest
import torch
import torch.nn.functional as F

from mmdet_kdrank.losses import FeatureDistillLoss, FeatureMimicLoss, PKDLoss

SIZES = ((6, 8), (3, 4), (2, 2))


class Distance(FeatureDistillLoss):
    def level_loss(self, student, teacher):
        return (student - teacher).abs().mean()


def levels(sizes=SIZES, channels=4, seed=0, batch=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(batch, channels, *size, generator=generator).to(dtype).requires_grad_()
        for size in sizes
    ]


def test_levels_are_added_up_and_weighted():
    student, teacher = levels(), levels(seed=1)
    parts = [Distance()([s], [t]) for s, t in zip(student, teacher, strict=True)]
    torch.testing.assert_close(Distance(loss_weight=0.5)(student, teacher), 0.5 * sum(parts))
    torch.testing.assert_close(Distance(levels=[2, 0])(student, teacher), parts[2] + parts[0])


def test_chosen_levels_may_lie_in_necks_of_different_length():
    student, teacher = levels(), levels(seed=1)
    shorter = Distance(levels=[0, 1])(student, teacher[:2])
    torch.testing.assert_close(shorter, Distance()(student[:2], teacher[:2]))


def test_the_students_level_is_resized_to_the_teachers():
    student, teacher = levels([(3, 4)]), levels([(3, 8)], seed=1)
    resized = F.interpolate(student[0], (3, 8), mode='bilinear')
    expected = (resized - teacher[0]).abs().mean()
    torch.testing.assert_close(Distance()(student, teacher), expected)


def test_the_teacher_is_a_constant():
    student, teacher = levels(), levels(seed=1)
    Distance()(student, teacher).backward()
    assert all(level.grad is None for level in teacher)
    assert all(level.grad.ne(0).any() for level in student)


@pytest.mark.parametrize(
    'build', [PKDLoss, lambda: FeatureMimicLoss([4] * 3, [4] * 3)], ids=['pkd', 'mimic']
)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(build, dtype):
    loss = build()
    student, teacher = levels(dtype=dtype), levels(seed=1, dtype=dtype)
    with torch.autocast('cpu', torch.bfloat16):
        half = loss(student, teacher)
    full = loss([s.detach().float() for s in student], [t.detach().float() for t in teacher])
    assert half.dtype is torch.float32
    assert torch.equal(half, full)
    half.backward()
    assert all(s.grad.dtype is dtype and s.grad.isfinite().all() for s in student)


def test_double_precision_stays():
    student = levels(dtype=torch.float64)
    assert PKDLoss()(student, levels(seed=1, dtype=torch.float64)).dtype is torch.float64


@pytest.mark.parametrize('levels_given', [[], [-1], [0, 0], [0.5], ['0']])
def test_levels_that_are_no_indices_are_refused(levels_given):
    with pytest.raises(ValueError, match='must be distinct indices from 0 on'):
        PKDLoss(levels=levels_given)


@pytest.mark.parametrize(
    ('options', 'student', 'teacher', 'message'),
    [
        ({}, levels(), levels()[:2], "student's neck gives 3 levels, the teacher's 2.*levels=\\["),
        (
            dict(levels=[0, 2]),
            levels(),
            levels()[:2],
            'names level 2.*last .* both have is 1',
        ),
        ({}, levels(), levels(channels=8), 'level 0 has 4 channels.* 8 in the teacher.*Mimic'),
        ({}, levels(batch=6), levels(), 'level 0 has 6 maps in the student and 2 in the teacher'),
    ],
)
def test_necks_that_do_not_correspond_are_refused(options, student, teacher, message):
    with pytest.raises(ValueError, match=message):
        PKDLoss(**options)(student, teacher)
