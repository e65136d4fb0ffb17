"""The reference backend against sums written out pair by pair."""

import itertools
import math

import pytest
import torch

from mmdet_kdrank.ops.backends import PairRequest, reference

STUDENT, TEACHER, STEEPNESS = [0.3, -1.0, 2.0, 0.1], [1.0, 0.5, -0.2, 3.0], 1.5


@pytest.mark.parametrize('columns', [(0, 1, 2, 3), (0, 2, 3)])
def test_sums_over_unordered_pairs_of_valid_columns(columns):
    mask = torch.tensor([[column in columns for column in range(4)]])
    request = PairRequest('tanh', 'tanh', STEEPNESS, norms=True, grad=True)
    student, teacher = (torch.tensor([row], dtype=torch.float64) for row in (STUDENT, TEACHER))
    sums = reference.pair_sums(student, teacher, mask, request)

    ab = aa = bb = 0.0
    grad_ab, grad_aa = [0.0] * 4, [0.0] * 4
    for i, j in itertools.combinations(columns, 2):
        a = math.tanh(STEEPNESS * (STUDENT[i] - STUDENT[j]))
        b = math.tanh(STEEPNESS * (TEACHER[i] - TEACHER[j]))
        slope = STEEPNESS * (1 - a * a)
        ab, aa, bb = ab + a * b, aa + a * a, bb + b * b
        for column, sign in ((i, 1), (j, -1)):
            grad_ab[column] += sign * slope * b
            grad_aa[column] += sign * 2 * slope * a
    for computed, expected in zip(sums, (ab, aa, bb, grad_ab, grad_aa), strict=True):
        torch.testing.assert_close(computed[0], torch.tensor(expected, dtype=torch.float64))


def test_only_what_was_asked_for():
    request = PairRequest('sign', 'sign', 1.0, norms=False, grad=False)
    sums = reference.pair_sums(torch.tensor([STUDENT]), torch.tensor([TEACHER]), None, request)
    assert sums[1:] == (None,) * 4
