import pytest
import torch

from mmdet_kdrank.distillers.finite import assert_finite
from tests.distributed.ranks import run_ranks


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_the_tensor_at_fault_is_named_and_its_values_counted(value):
    wrong = torch.tensor([[1.0, value], [value, 2.0]])
    with pytest.raises(FloatingPointError, match='^2 of 4 values of the second are not finite'):
        assert_finite({'the first': torch.ones(3), 'the second': wrong, 'the third': wrong})


def test_finite_and_empty_tensors_pass():
    assert_finite({})
    assert_finite({'none': torch.zeros(0, 4), 'some': torch.tensor(-1e30, requires_grad=True)})


def on_rank(rank, wrong):
    # The second rank has no rows at all.
    rows = (
        torch.full((2, 3), float('nan') if rank == wrong else 0.0)
        if rank != 1
        else torch.empty(0, 3)
    )
    assert_finite({'the logits': rows})
    return 'finite'


def test_a_value_on_one_rank_stops_all():
    assert run_ranks(2, on_rank, None) == ['finite', 'finite']
    first, second = run_ranks(2, on_rank, 0)
    assert isinstance(first, FloatingPointError) and isinstance(second, FloatingPointError)
    assert str(first) == str(second)
    assert str(first).startswith('[rank 0 of 2] 6 of 6 values of the logits are not finite.')
