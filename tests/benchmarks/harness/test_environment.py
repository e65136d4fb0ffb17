import re
from datetime import date

import pytest
import torch

from benchmarks.harness import device_slug, environment, require_device
from benchmarks.harness.environment import slug


def test_environment_names_machine_versions_and_date():
    described = environment()
    assert list(described) == [
        *('date', 'commit', 'hardware', 'threads', 'python', 'torch', 'numpy', 'triton'),
    ]
    assert date.fromisoformat(described['date'])
    assert re.fullmatch(r'([0-9a-f]{7,}(\+dirty)?)?', described['commit'])
    assert described['threads'] == str(torch.get_num_threads())
    assert described['torch'] == torch.__version__
    assert 'NVIDIA' not in described['hardware']


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('NVIDIA H200', 'h200'),
        ('NVIDIA A100-SXM4-80GB', 'a100-sxm4-80gb'),
        ('NVIDIA GeForce RTX 4090', 'geforce-rtx-4090'),
    ],
)
def test_slug_names_a_gpu_in_a_file_name(name, expected):
    assert slug(name) == expected


def test_cpu_is_always_there():
    assert require_device('cpu').type == 'cpu'
    assert device_slug('cpu') == 'cpu'


def test_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device='gpu' is unknown; choose cpu, cuda or"):
        require_device('gpu')


def test_cuda_that_is_not_there_is_refused():
    with pytest.raises(RuntimeError, match=r'sees \d+ CUDA devices\. .* --device cpu'):
        require_device('cuda:99')
