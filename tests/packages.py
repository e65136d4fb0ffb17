"""The checkout as it is packed, without touching it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_TRACKED = shutil.ignore_patterns(
    *('.git', '.venv*', '.*_cache', '.hypothesis', '__pycache__', '*.egg-info', '*.so'),
    *('build', 'dist', 'work_dirs', 'data'),
)


def unpacked_sdist(folder: Path) -> Path:
    """Make the sdist of a copy of the checkout; the folder that it unpacks to."""
    shutil.copytree(ROOT, folder / 'checkout', ignore=NOT_TRACKED)
    code = 'from setuptools.build_meta import build_sdist; print(build_sdist(".."))'
    name = run([sys.executable, '-c', code], cwd=folder / 'checkout').split()[-1]
    shutil.unpack_archive(folder / name, folder)
    return folder / name.removesuffix('.tar.gz')


def run(command: list, cwd: Path, **variables: str) -> str:
    """Run a command that has nothing of this process's import path; its output if it succeeds."""
    environment = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME')}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**environment, 'OMP_NUM_THREADS': '1', **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout
