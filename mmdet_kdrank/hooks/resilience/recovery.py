"""Finding the checkpoint to resume from where the last one may be torn."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint

from mmdet_kdrank.checkpoints.loading import load_checkpoint
from mmdet_kdrank.errors import CheckpointAccessError, CheckpointError


def latest_readable(work_dir: str | Path, template: str) -> str | None:
    """Path of the newest checkpoint that can be read, from ``last_checkpoint`` backwards.

    Each file that cannot be read is named in a warning, and so is what is taken in its place.

    Args:
        work_dir: Folder with the file ``last_checkpoint``.
        template: Name of a checkpoint with ``{}`` where its number is.

    Returns:
        The path, or None where there is no ``last_checkpoint``, or where it names
        something on another storage than the local disk, which is not looked into.

    Raises:
        CheckpointError: If ``last_checkpoint`` is there and no checkpoint can be read.
        CheckpointAccessError: If memory, disk or permissions failed over one.
    """
    named = find_latest_checkpoint(str(work_dir))
    if named is None or '://' in named:
        return None
    if not named:
        # Killed between opening and writing.
        _warn(f'{work_dir}/last_checkpoint is empty: a run ended while it wrote it.')
    tried = []
    for path in _candidates(Path(work_dir), named, template):
        try:
            load_checkpoint(path)
        except CheckpointAccessError:
            # Going back further would lose what may be a good one.
            raise
        except CheckpointError as error:
            tried.append(path.name)
            _warn(f'Not resuming from it: {error}')
        else:
            if path != Path(named):
                _warn(
                    f'Resuming from {path}: the highest number before the one that cannot be read, '
                    'or where that has no number the last by the times of the files, which a copy '
                    'of the folder may have changed. If it is the wrong one, give --resume a path.'
                )
            return str(path)
    raise CheckpointError(
        f'{work_dir} has a last_checkpoint ({named or "empty"}), and no checkpoint there can be '
        f'read ({", ".join(tried) or "there is none"}). Start again without --resume, or give '
        '--resume the path of a good one.'
    )


def _candidates(work_dir: Path, named: str, template: str) -> list[Path]:
    """Return what ``last_checkpoint`` names, then the numbered ones before it, newest first.

    Where it names none with a number, the newest is the one that was written last, and of several
    written at the same time the highest.
    """
    first = [Path(named)] if named else []
    folder = first[0].parent if first and first[0].parent.is_dir() else work_dir
    before, after = map(re.escape, re.split(r'{.*?}', template))
    numbers = re.compile(f'{before}([0-9]+){after}')
    numbered = {
        int(match[1]): path for path in folder.iterdir() if (match := numbers.fullmatch(path.name))
    }
    # A folder may hold higher numbers of an older, longer run, written before this one's.
    if match := numbers.fullmatch(first[0].name) if first else None:
        ranked = sorted((n for n in numbered if n < int(match[1])), reverse=True)
    else:
        written = {n: path.stat().st_mtime_ns for n, path in numbered.items()}
        ranked = sorted(numbered, key=lambda n: (written[n], n), reverse=True)
    return first + [numbered[n] for n in ranked]


def _warn(text: str) -> None:
    print_log(text, logger='current', level=logging.WARNING)
