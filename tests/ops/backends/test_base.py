"""What the backends have in common before they sum anything."""

import pytest
import torch

from mmdet_kdrank.ops.backends.base import clean_logits, non_finite_rows, sum_dtype


@pytest.mark.parametrize(
    ('student', 'teacher', 'expected'),
    [
        (torch.float16, torch.bfloat16, torch.float32),
        (torch.float32, torch.float16, torch.float32),
        (torch.float16, torch.float64, torch.float64),
    ],
)
def test_sums_have_at_least_single_precision(student, teacher, expected):
    logits = torch.zeros(2, 3)
    assert sum_dtype(logits.to(student), logits.to(teacher)) == expected


def test_masked_cells_become_zero_and_the_input_stays():
    logits = torch.tensor([[1.0, torch.nan, 2.0]], dtype=torch.float16)
    mask = torch.tensor([[True, False, True]])
    cleaned = clean_logits(logits, mask, torch.float32)
    assert cleaned.dtype == torch.float32 and cleaned.tolist() == [[1, 0, 2]]
    assert logits.isnan().sum() == 1


@pytest.mark.parametrize('broken', [torch.nan, torch.inf, -torch.inf])
def test_rows_that_are_not_finite_on_either_side_are_nan(broken):
    student, teacher = torch.zeros(2, 3, 4).unbind()
    student[0, 1] = teacher[2, 3] = broken
    assert non_finite_rows(student, teacher).isnan().tolist() == [True, False, True]
