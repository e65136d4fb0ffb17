import pytest
import torch

from mmdet_kdrank.distillers.finite import assert_finite


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_the_tensor_at_fault_is_named_and_its_values_counted(value):
    wrong = torch.tensor([[1.0, value], [value, 2.0]])
    with pytest.raises(FloatingPointError, match='^2 of 4 values of the second are not finite'):
        assert_finite({'the first': torch.ones(3), 'the second': wrong, 'the third': wrong})


def test_finite_and_empty_tensors_pass():
    assert_finite({})
    assert_finite({'none': torch.zeros(0, 4), 'some': torch.tensor(-1e30, requires_grad=True)})
