"""Bad input: the message names the argument and the fix."""

import pytest
import torch

from mmdet_kdrank.ops import kendall_tau
from mmdet_kdrank.ops.checks import describe_nonfinite

X = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ('args', 'kwargs', 'error', 'message'),
    [
        (([[1.0, 2.0]], X), {}, TypeError, 'student must be a tensor .* not list'),
        ((X.long(), X), {}, TypeError, r'student has dtype torch.int64; .* student.float\(\)'),
        ((X, X.long()), {}, TypeError, 'teacher has dtype torch.int64'),
        ((X, X[0]), {}, ValueError, r'teacher has shape \(3,\); it must be \(N, C\)'),
        ((X, X[:, :2]), {}, ValueError, r'student has shape \(2, 3\) and teacher \(2, 2\)'),
        ((X[:, :1], X[:, :1]), {}, ValueError, 'C = 1 columns; .* at least 2 classes'),
        ((X, X.to('meta')), {}, ValueError, 'student is on cpu and teacher on meta; move'),
        ((X, X, X), {}, TypeError, 'mask must be a bool tensor, not torch.float32. Pass mask != 0'),
        ((X, X, [True]), {}, TypeError, 'mask must be a bool tensor, not list'),
        ((X, X, X[0] == 0), {}, ValueError, r'mask has shape \(3,\) on cpu; .* Expand a mask'),
        ((X, X), {'surrogate': 'relu'}, ValueError, "surrogate='relu' is unknown; .* algebraic"),
        (
            (X, X),
            {'backend': 'cuda'},
            ValueError,
            "backend='cuda' is .* auto, chunked, native, ref",
        ),
        ((X, X), {'form': 'spearman'}, ValueError, "form='spearman' is unknown; .* cosine"),
        ((X, X), {'steepness': 0}, ValueError, 'steepness=0 must be a positive, finite number'),
        ((X, X), {'steepness': float('inf')}, ValueError, 'steepness=inf must be'),
        ((X, X), {'steepness': float('nan')}, ValueError, 'steepness=nan must be'),
        ((X, X), {'steepness': '1'}, ValueError, "steepness='1' must be"),
        ((X, X), {'eps': 0.0}, ValueError, 'eps=0.0 must be'),
        (
            (X[:, :2], X[:, :2]),
            {'form': 'cosine'},
            ValueError,
            "form='cosine' on C = 2 .* use form='kendall'",
        ),
    ],
)
def test_message(args, kwargs, error, message):
    with pytest.raises(error, match=message) as caught:
        kendall_tau(*args, **kwargs)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_the_tensor_at_fault_is_named_and_its_values_counted(value):
    faulty = torch.tensor([[1.0, value], [value, 2.0]])
    tensors = {'the first': torch.ones(3), 'the second': faulty, 'third': faulty}
    assert describe_nonfinite(tensors) == '2 of 4 values of the second are not finite'


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


def test_large_numbers_in_float64_are_finite():
    assert describe_nonfinite({'x': torch.tensor([1e300], dtype=torch.float64)}) is None
