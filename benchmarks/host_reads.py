#!/usr/bin/env python
"""Count what a training step asks the device for, which a GPU answers only when it is idle.

Runs one step of a distilling detector on the CPU and counts the operations whose result the host
needs: numbers that are read, and masks that choose a number of rows. Copies between host and device
are not seen on a CPU; with --device cuda, CUDA reports them too. Prints how often the stock
student, the teacher's own forward and each line of this package ask.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import mmdet  # noqa: E402
import torch  # noqa: E402
from mmdet.registry import MODELS  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import mmdet_kdrank  # noqa: E402
from benchmarks.step_path import CONFIGS, distilling_config  # noqa: E402
from mmdet_kdrank.check.random_batch import random_batch  # noqa: E402

PACKAGE = Path(mmdet_kdrank.__file__).parent
MMDET = Path(mmdet.__file__).parent
_ATEN = torch.ops.aten
READS = {
    _ATEN._local_scalar_dense.default,
    _ATEN.nonzero.default,
    _ATEN.masked_select.default,
    _ATEN.equal.default,
    _ATEN._unique2.default,
    _ATEN.unique_dim.default,
}
CHOICES = {_ATEN.index.Tensor, _ATEN.index_put.default, _ATEN.index_put_.default}


class HostReads(TorchDispatchMode):
    """Counts the operations that wait for the device, by who asked.

    Attributes:
        lines: Counts by ``'file:line'`` of the package, ``'student'`` and ``'teacher'``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Count an operation and run it."""
        chosen = args[1] if func in CHOICES else ()
        by_mask = any(index is not None and index.dtype == torch.bool for index in chosen)
        if func in READS or by_mask:
            self.lines[_asking()] += 1
        return func(*args, **(kwargs or {}))


def _asking() -> str:
    """Return the line of the package that asked, or which side's detector of MMDetection did."""
    frame, of_mmdet = sys._getframe(1), False
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if PACKAGE in file.parents:
            if not of_mmdet:
                return f'{file.relative_to(PACKAGE)}:{frame.f_lineno}'
            # The distiller calls the student's own loss, through the methods that it watches.
            if file.name != 'capture.py':
                return 'student' if file.name == 'base.py' else 'teacher'
        of_mmdet = of_mmdet or MMDET in file.parents
        frame = frame.f_back
    return 'student'


def host_reads(config_file: str, selector: dict | None = None, device: str = 'cpu') -> Counter[str]:
    """Count one step of a distilling leaf config after its first, which also checks and trims.

    Args:
        config_file: Path relative to the repository.
        selector: Config of another selector than the file's.
        device: ``'cpu'``, or ``'cuda'``, where CUDA itself reports all that waits for it.

    Returns:
        Counts as of :class:`HostReads`.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = distilling_config(config_file, Path(folder))
        if selector:
            config.model.selector = selector
        detector = MODELS.build(config.model)
        detector.init_weights()
        detector.train().to(device)
        batch = detector.data_preprocessor(random_batch(config.model), training=True)
        detector(**batch, mode='loss')
        if device != 'cpu':
            return cuda_reads(lambda: detector(**batch, mode='loss'))
        with HostReads() as reads:
            detector(**batch, mode='loss')
    return reads.lines


def cuda_reads(step: Callable[[], Any]) -> Counter[str]:
    """Count the synchronisations that CUDA itself reports, as :func:`host_reads` counts reads.

    Args:
        step: Trains one step on the GPU.
    """
    lines: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        # The stack of the operation is still there when its warning is shown.
        warnings.showwarning = lambda *_, **__: lines.update([_asking()])
        torch.cuda.set_sync_debug_mode('warn')
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode('default')
    return lines


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda')
    device = parser.parse_args().device
    for name, config in CONFIGS.items():
        lines = host_reads(config, device=device)
        print(f'{name}: {lines["student"]} of the student, {lines["teacher"]} of the teacher')
        for line, count in sorted(lines.items()):
            if ':' in line:
                print(f'  {count:3d} {line}')


if __name__ == '__main__':
    main()
