"""Which sources a figure was made with."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SOURCES = Path(__file__).resolve().parents[1]


def commit() -> str | None:
    """Commit of this package's checkout, with ``-dirty`` behind it where tracked files differ.

    None where the package lies in no git checkout, or git is not installed.
    """
    command = ['git', '-C', str(_SOURCES), 'describe', '--always', '--abbrev=40', '--dirty']
    try:
        done = subprocess.run(
            [*command, '--exclude=*'], capture_output=True, text=True, timeout=30, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
