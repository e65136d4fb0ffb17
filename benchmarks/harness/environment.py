"""The machine and the versions behind a figure."""

import platform
import re
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import torch

from mmdet_kdrank.runs.provenance import commit, provenance

ROOT = Path(__file__).resolve().parents[2]
# Results and the pages that show them change by measuring; that makes no other code.
_OUTPUTS = (':!benchmarks/results', ':!docs')


def require_device(device: str) -> torch.device:
    """Return the device, ready for use.

    Args:
        device: ``'cpu'``, or ``'cuda'`` with or without a number.

    Raises:
        ValueError: If it is neither.
        RuntimeError: If it is a CUDA device and there is none.
    """
    if not re.fullmatch(r'cpu|cuda(:\d+)?', device):
        raise ValueError(f'device={device!r} is unknown; choose cpu, cuda or cuda:NUMBER.')
    parsed = torch.device(device)
    if parsed.type == 'cuda' and (parsed.index or 0) >= torch.cuda.device_count():
        raise RuntimeError(
            f'device={device!r} was asked for, but torch {torch.__version__} sees '
            f'{torch.cuda.device_count()} CUDA devices. Use a machine with an NVIDIA GPU, its '
            'driver and a CUDA build of torch, or pass --device cpu.'
        )
    return parsed


def device_slug(device: str | torch.device) -> str:
    """Names a device's result files.

    Args:
        device: A device that is there.

    Returns:
        ``'cpu'``, or the GPU's name, such as ``'h200'``.
    """
    device = torch.device(device)
    return 'cpu' if device.type == 'cpu' else slug(torch.cuda.get_device_name(device))


def slug(name: str) -> str:
    """Write a GPU's name for a file name.

    Example:
        >>> slug('NVIDIA H200')
        'h200'
    """
    return re.sub(r'[^a-z0-9]+', '-', name.lower().removeprefix('nvidia')).strip('-')


def environment(device: str | torch.device = 'cpu') -> dict[str, str]:
    """Describe the environment of a measurement, as columns of CSV.

    Args:
        device: Device on which the measured code ran.

    Returns:
        ``date`` (UTC day), ``commit``, ``hardware``, and ``threads`` (of torch, on the CPU). The
        commit is short, with ``+dirty`` if tracked code differs from it, and empty outside a git
        checkout. Also the versions of ``python``, ``torch``, ``numpy`` and ``triton``, which is
        empty if it is not installed.
    """
    device = torch.device(device)
    if device.type == 'cpu':
        # Provenance appends the machine's GPUs, which a CPU benchmark does not use.
        hardware = provenance()['hardware'].partition(', ')[0]
    else:
        hardware = torch.cuda.get_device_name(device)
    return {
        'date': datetime.now(timezone.utc).date().isoformat(),
        'commit': _commit(),
        'hardware': hardware,
        'threads': str(torch.get_num_threads()) if device.type == 'cpu' else '',
        'python': platform.python_version(),
        'torch': torch.__version__,
        'numpy': metadata.version('numpy'),
        'triton': _version_if_installed('triton'),
    }


def _version_if_installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ''


def _commit() -> str:
    head, _, dirty = (commit(('.', *_OUTPUTS)) or '').partition('-')
    return head[:7] + ('+dirty' if dirty else '')
