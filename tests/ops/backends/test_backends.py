"""Which backend computes a call."""

import pytest
import torch

from mmdet_kdrank.ops.backends import BACKENDS, PairRequest, choose
from tests.ops.oracle import accepts

FLOAT, DOUBLE = torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.float64)


@pytest.mark.skipif(
    not accepts('native', 'cpu', torch.float32), reason='the package was built without a compiler'
)
@pytest.mark.parametrize(
    ('logits', 'surrogate', 'expected'),
    [
        (FLOAT, 'tanh', 'native'),
        (FLOAT.half(), 'tanh', 'native'),
        (FLOAT, 'sign', 'native'),
        (FLOAT, 'erf', 'chunked'),
        (DOUBLE, 'tanh', 'chunked'),
    ],
)
def test_auto_on_a_cpu(logits, surrogate, expected):
    request = PairRequest(surrogate, surrogate, 1.0, False, True)
    assert choose('auto', logits, logits, request) is BACKENDS[expected]


@pytest.mark.cuda
def test_auto_on_cuda():
    request = PairRequest('erf', 'erf', 1.0, False, True)
    logits = FLOAT.cuda()
    assert choose('auto', logits, logits, request) is BACKENDS['triton']
    with pytest.raises(ValueError, match="backend='native' cannot .* runs on the CPU"):
        choose('native', logits, logits, request)


def test_without_an_interpreter_triton_asks_for_cuda(monkeypatch):
    triton = pytest.importorskip('triton', minversion='3.4')
    monkeypatch.setattr(triton.knobs.runtime, 'interpret', False)
    request = PairRequest('tanh', 'tanh', 1.0, False, True)
    with pytest.raises(ValueError, match="backend='triton' cannot .* runs on CUDA and .* on cpu"):
        choose('triton', FLOAT, FLOAT, request)
