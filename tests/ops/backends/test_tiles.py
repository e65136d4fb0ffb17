"""A tile against the sums over its pairs written out, for both ways to evaluate it."""

import pytest
import torch

from mmdet_kdrank.ops.backends import PairRequest, reference
from mmdet_kdrank.ops.backends.tiles import (
    SCRATCH_BUFFERS,
    Tile,
    add_exponentials,
    add_surrogates,
    exponentials,
)

ROWS, CLASSES, STEEPNESS = 3, 7, 1.5


def logits():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, ROWS, CLASSES, generator=generator, dtype=torch.float64).unbind()


@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('add_tile', [add_surrogates, add_exponentials])
@pytest.mark.parametrize('band', [CLASSES, 3, 1])
def test_bands_add_up_to_twice_the_pair_sums(add_tile, band, masked):
    student, teacher = logits()
    mask = student > -1 if masked else None
    request = PairRequest('tanh', 'tanh', STEEPNESS, norms=True, grad=True)
    expected = reference.pair_sums(student, teacher, mask, request)

    sums, grads = student.new_zeros(3, ROWS), student.new_zeros(2, ROWS, CLASSES)
    scratch = [student.new_empty(ROWS * band * CLASSES) for _ in range(SCRATCH_BUFFERS)]
    valid, factor = mask if mask is None else mask.double(), STEEPNESS
    if add_tile is add_exponentials:
        student, teacher = exponentials(student, STEEPNESS), exponentials(teacher, STEEPNESS)
        factor = 4 * STEEPNESS * student
    for start in range(0, CLASSES, band):
        ii, jj = slice(start, min(start + band, CLASSES)), slice(start, CLASSES)
        add_tile(Tile(student, teacher, valid, ii, jj, scratch, sums, grads), request)

    torch.testing.assert_close(sums / 2, torch.stack([expected.ab, expected.aa, expected.bb]))
    torch.testing.assert_close(grads[0] * factor, expected.grad_ab)
    torch.testing.assert_close(grads[1] * factor * 2, expected.grad_aa)


def test_ratios_of_exponentials_keep_near_ties():
    near = torch.tensor([[30.0, 30.0 + 2**-19, -40.0]])
    p = exponentials(near, 0.5)
    assert p[0, 1] / p[0, 0] - 1 == pytest.approx(2**-19, rel=0.1)
    assert p.isfinite().all()
