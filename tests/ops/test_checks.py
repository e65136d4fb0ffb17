"""Bad input: the message names the argument and the mend."""

import pytest
import torch

from mmdet_kdrank.ops import kendall_tau

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
        ((X, X, X), {}, TypeError, 'mask must be a bool tensor, not torch.float32: pass mask != 0'),
        ((X, X, [True]), {}, TypeError, 'mask must be a bool tensor, not list'),
        ((X, X, X[0] == 0), {}, ValueError, r'mask has shape \(3,\) on cpu; .* expand a mask'),
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
