"""What the tests and the docstrings' examples share."""

import os
import signal

import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.logging import MessageHub

if not torch.cuda.is_available():
    # Before anything imports Triton: its kernels then run on the CPU.
    os.environ.setdefault('TRITON_INTERPRET', '1')

# The kernels have no examples, and need a Triton that not every stack has. Of the projects whose
# heads are declared, none is installed by any stack.
collect_ignore = ['mmdet_kdrank/ops/backends/triton', 'mmdet_kdrank/projects']
# MMEngine reads configs and plans; they are no modules.
collect_ignore_glob = [
    'experiments/plans/*',
    'experiments/photographs/configs/*',
    'experiments/photographs/plans/*',
]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a shell interrupts are ignored, by children too; tests send them.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _mmdet_scope():
    """Set up what a runner does: MMDetection's scope, and nothing left by another test's run."""
    register_all_modules(init_default_scope=True)
    for name in ('dataset_meta', 'iter'):
        MessageHub.get_current_instance().runtime_info.pop(name, None)
    torch.manual_seed(0)


def pytest_collection_modifyitems(items):
    """Mark what needs a GPU, and skip it where there is none."""
    no_gpu = pytest.mark.skip(reason='needs a CUDA device')
    for item in items:
        on_cuda = getattr(item, 'callspec', None) and item.callspec.params.get('device') == 'cuda'
        if on_cuda:
            item.add_marker(pytest.mark.cuda)
        if item.get_closest_marker('cuda') and not torch.cuda.is_available():
            item.add_marker(no_gpu)


def pytest_sessionfinish(session):
    """With KDRANK_REQUIRE_GPU=1, a run in which no test passed has failed."""
    if os.environ.get('KDRANK_REQUIRE_GPU') == '1' and not session.exitstatus:
        reporter = session.config.pluginmanager.get_plugin('terminalreporter')
        if not reporter.stats.get('passed'):
            reporter.write_line('no GPU test ran: there is no CUDA device', red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
