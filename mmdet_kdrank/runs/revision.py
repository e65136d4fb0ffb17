"""Which sources a figure was made with."""

from __future__ import annotations

import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = ('mmdet_kdrank', 'configs', 'tools')


def commit() -> str | None:
    """Commit of this package's checkout, with ``-dirty`` behind it where sources differ from it.

    Sources are the tracked files of the package, ``configs`` and ``tools``: an edited page of
    documentation changes no figure. None where the package lies in no git checkout of its own, or
    git is not installed.
    """
    if _git('rev-parse', '--show-toplevel') != str(_ROOT):
        return None
    head = _git('rev-parse', 'HEAD')
    changed = _git('status', '--porcelain', '--untracked-files=no', '--', *_SOURCES)
    return f'{head}-dirty' if changed else head


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ['git', '-C', str(_ROOT), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
