#!/usr/bin/env python
"""Count the files that a reader follows from a leaf config to the gradient of one training step.

Profiles building the detector, loading its teacher, one step after the first, and its gradient.
Prints the files of the package that run, their lines, how many of these are in functions that run,
and the hops: pairs of files of which one calls into the other.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from mmdet.registry import MODELS  # noqa: E402
from mmdet.utils import register_all_modules  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.logging import MMLogger  # noqa: E402

import mmdet_kdrank  # noqa: E402
import mmdet_kdrank.checkpoints.loading  # noqa: E402 - its import is no part of the step
from mmdet_kdrank.check.random_batch import random_batch  # noqa: E402

PACKAGE = Path(mmdet_kdrank.__file__).parent
CONFIGS = {
    'Faster R-CNN': 'configs/shapes/faster-rcnn_r18w32-r18w16_kd-rank_shapes.py',
    'RetinaNet': 'configs/shapes/retinanet_r18w32-r18w16_kd-rank_shapes.py',
}


@dataclass
class StepPath:
    """Files of the package that ran, and which of them called which.

    Args:
        files: Paths relative to the package.
        run: File and line of every function that ran, its docstring included.
        hops: Pairs of calling and called file.
    """

    files: set[str] = field(default_factory=set)
    run: set[tuple[str, int]] = field(default_factory=set)
    hops: set[tuple[str, str]] = field(default_factory=set)

    @property
    def lines(self) -> int:
        """All lines of the files."""
        return sum(map(_length, self.files))

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record the calls that are made while the context lasts."""

        def profile(frame: FrameType, event: str, _: Any) -> None:
            if event != 'call' or (callee := _FILES(frame.f_code)) is None or _imported(frame):
                return
            self.files.add(callee)
            self.run.update((callee, line) for line in _lines(frame.f_code))
            caller = _calling_file(frame.f_back)
            if caller not in (None, callee):
                self.hops.add((caller, callee))

        sys.setprofile(profile)
        try:
            yield
        finally:
            sys.setprofile(None)


def _length(file: str) -> int:
    return len((PACKAGE / file).read_text(encoding='utf-8').splitlines())


def _package_file(code: CodeType) -> str | None:
    """Return the file of the package that code is from; None for all other code."""
    # Generated code (dataclasses) has no file, and module bodies are imports, not steps.
    if code.co_name == '<module>' or not code.co_filename.startswith(f'{PACKAGE}{os.sep}'):
        return None
    return str(Path(code.co_filename).relative_to(PACKAGE))


def _imported(frame: FrameType | None) -> bool:
    """Return whether a call is part of importing a file of the package on its first use."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == '<module>' and code.co_filename.startswith(f'{PACKAGE}{os.sep}'):
            return True
        frame = frame.f_back
    return False


def _calling_file(frame: FrameType | None) -> str | None:
    """Return the nearest file of the package below a call, through torch and MMDetection."""
    while frame is not None:
        if (name := _FILES(frame.f_code)) is not None:
            return name
        frame = frame.f_back
    return None


@cache
def _lines(code: CodeType) -> range:
    """Return the lines of a function."""
    return range(code.co_firstlineno, 1 + max(line or 0 for *_, line in code.co_lines()))


_FILES = cache(_package_file)


def distilling_config(config_file: str, folder: Path) -> Config:
    """Read a distilling leaf config, with a teacher of random weights in place of its own.

    Args:
        config_file: Path relative to the repository.
        folder: Where the teacher's checkpoint goes.
    """
    register_all_modules(init_default_scope=True)
    MMLogger.get_current_instance().setLevel('WARNING')
    torch.manual_seed(0)
    config = Config.fromfile(ROOT / config_file)
    teacher = Config.fromfile(ROOT / config.model.teacher.config)
    checkpoint = folder / 'teacher.pth'
    torch.save(dict(state_dict=MODELS.build(teacher.model).state_dict()), checkpoint)
    config.model.teacher.update(config=teacher.model.to_dict(), checkpoint=str(checkpoint))
    return config


def step_path(config_file: str) -> StepPath:
    """Profile a distilling leaf config.

    Args:
        config_file: Path relative to the repository.

    Returns:
        What ran from the config to the gradient.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = distilling_config(config_file, Path(folder))
        path = StepPath()
        with path.recorded():
            detector = MODELS.build(config.model)
            detector.init_weights()
        detector.train()
        batch = detector.data_preprocessor(random_batch(config.model), training=True)
        detector(**batch, mode='loss')  # the first step also checks and trims
        with path.recorded():
            losses, _ = detector.parse_losses(detector(**batch, mode='loss'))
            losses.backward()
    return path


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--files', action='store_true', help='list the files and hops too')
    arguments = parser.parse_args()
    print('| detector | files | lines | of functions that run | hops |')
    print('| --- | ---: | ---: | ---: | ---: |')
    for name, config in CONFIGS.items():
        path = step_path(config)
        print(f'| {name} | {len(path.files)} | {path.lines} | {len(path.run)} | {len(path.hops)} |')
        if arguments.files:
            for file in sorted(path.files):
                called = [callee for caller, callee in sorted(path.hops) if caller == file]
                print(f'  {_length(file):4d} {file} -> {", ".join(called)}')


if __name__ == '__main__':
    main()
