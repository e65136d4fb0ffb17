import math
from itertools import pairwise

import pytest
import torch
from mmengine.optim import LinearParamScheduler

from mmdet_kdrank.hooks.weight_hook import Schedule


def piece(type='linear', begin=0, end=10, start_factor=0.0, end_factor=1.0, **options):
    return dict(
        type=type,
        begin=begin,
        end=end,
        start_factor=start_factor,
        end_factor=end_factor,
        **options,
    )


def constant(begin, factor, **options):
    return dict(type='constant', begin=begin, factor=factor, **options)


@pytest.mark.parametrize(('begin', 'end'), [(0, 2), (0, 7), (3, 9)])
def test_linear_is_mmengines(begin, end):
    """The same names mean the same, step by step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = LinearParamScheduler(
        optimizer, 'lr', start_factor=0.25, end_factor=0.75, begin=begin, end=end
    )
    own_schedule = Schedule([piece(begin=begin, end=end, start_factor=0.25, end_factor=0.75)])
    for step in range(12):
        assert own_schedule(step) == pytest.approx(optimizer.param_groups[0]['lr']), step
        optimizer.step()
        scheduler.step()


def test_cosine():
    factors = Schedule([piece('cosine', 2, 7, start_factor=1.0, end_factor=0.2)])
    for step in range(2, 7):
        expected = 0.2 + 0.8 * (1 + math.cos(math.pi * (step - 2) / 4)) / 2
        assert factors(step) == pytest.approx(expected)


@pytest.mark.parametrize('type', ['linear', 'cosine'])
def test_both_ends_are_exact(type):
    """A factor of exactly 0 is what switches a loss off."""
    factors = Schedule([piece(type, start_factor=0.7, end_factor=0.0)])
    assert (factors(0), factors(9), factors(10**6)) == (0.7, 0.0, 0.0)
    assert all(a > b for a, b in pairwise(map(factors, range(10))))


def test_pieces_are_composed():
    factors = Schedule(
        [constant(2, 0), piece(begin=4, end=7), piece('cosine', 9, 11, 1, 0.5), constant(11, 0)]
    )
    assert [factors(step) for step in range(13)] == [1, 1, 0, 0, 0, 0.5, 1, 1, 1, 1, 0.5, 0, 0]
    assert factors.end == 12


@pytest.mark.parametrize(
    ('pieces', 'error', 'message'),
    [
        ([], TypeError, 'must be a list of one or more pieces'),
        (piece(), TypeError, 'must be a list of one or more pieces'),
        ([dict(begin=0, factor=1)], ValueError, 'piece 0: type=None is unknown; choose one of con'),
        ([constant(0, 1), constant(4, 1, end=5)], TypeError, "piece 1: .*argument 'end'"),
        ([dict(type='linear', begin=0, end=4)], TypeError, 'piece 0: .*start_factor'),
        ([constant(-1, 1)], ValueError, 'piece 0: begin=-1 must be a whole number'),
        ([constant(0.5, 1)], ValueError, 'piece 0: begin=0.5 must be a whole number'),
        ([constant(0, -1)], ValueError, 'piece 0: factor=-1 must be a finite number'),
        ([piece(end_factor=math.inf)], ValueError, 'piece 0: end_factor=inf must be a finite'),
        (
            [piece(end=1)],
            ValueError,
            'fewer than two steps.*Set end to 2 or more, or count iter',
        ),
        (
            [piece(end=1, by_epoch=False)],
            ValueError,
            r'fewer than two steps.*Set end to 2 or more\.',
        ),
        ([piece(), constant(9, 0)], ValueError, 'piece 1 begins at 9, but piece 0 ends at 10'),
        (
            [constant(5, 0), constant(5, 1)],
            ValueError,
            'piece 1 begins at 5, but .* ends at 6',
        ),
        (
            [piece(by_epoch=False), constant(11, 0)],
            ValueError,
            'piece 0 has by_epoch=False and piece 1 by_epoch=True. Set the same by_epoch in all',
        ),
    ],
)
def test_refused(pieces, error, message):
    with pytest.raises(error, match=message):
        Schedule(pieces)
