import pytest
import torch

from mmdet_kdrank.losses.precision import full_precision


@pytest.mark.parametrize(
    'given, computed',
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_becomes_float32_and_the_rest_stays(given, computed):
    assert full_precision(torch.ones(2, dtype=given)).dtype == computed
