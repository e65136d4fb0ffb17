import os

import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.logging import MessageHub

if not torch.cuda.is_available():
    # Before anything imports Triton: its kernels then run on the CPU.
    os.environ.setdefault('TRITON_INTERPRET', '1')


@pytest.fixture(autouse=True)
def _mmdet_scope():
    """What a runner sets up: MMDetection's scope, and no class names left by another test."""
    register_all_modules(init_default_scope=True)
    MessageHub.get_current_instance().runtime_info.pop('dataset_meta', None)
    torch.manual_seed(0)
