"""Where a resumed run goes on: from which checkpoint, and after which batch of the epoch."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint
from torch.utils.data import DataLoader

from mmdet_kdrank.errors import CheckpointAccessError, CheckpointError
from mmdet_kdrank.random_states import kept_random_states


def latest_readable(work_dir: str | Path, template: str) -> str | None:
    """Return the newest checkpoint that can be read, from ``last_checkpoint`` backwards.

    Warnings name each file that cannot be read, and the file that is used instead.

    Args:
        work_dir: Folder with the file ``last_checkpoint``.
        template: Name of a checkpoint with ``{}`` in place of its number.

    Returns:
        The path. None if there is no ``last_checkpoint``, or if it names a file that is not on the
        local disk, which is not checked.

    Raises:
        CheckpointError: If ``last_checkpoint`` exists and no checkpoint can be read.
        CheckpointAccessError: If memory, disk or permissions failed while one was read.
    """
    # Imported here: a run that does not resume reads no checkpoint.
    from mmdet_kdrank.checkpoints.loading import load_checkpoint

    named = find_latest_checkpoint(str(work_dir))
    if named is None or '://' in named:
        return None
    if not named:
        # The run was killed between opening and writing the file.
        _warn(f'{work_dir}/last_checkpoint is empty: a run ended while it wrote this file.')
    tried = []
    for path in _candidates(Path(work_dir), named, template):
        try:
            load_checkpoint(path)
        except CheckpointAccessError:
            # An older checkpoint would lose iterations, and this one may be whole.
            raise
        except CheckpointError as error:
            tried.append(path.name)
            _warn(f'Not resuming from this checkpoint: {error}')
        else:
            if path != Path(named):
                _warn(
                    f'Resuming from {path}. It has the highest number below the checkpoint that '
                    'cannot be read. If that has no number, it is the latest by file time, which a '
                    'copy of the folder may have changed. Pass another path to --resume if it is '
                    'wrong.'
                )
            return str(path)
    raise CheckpointError(
        f'{work_dir} has a last_checkpoint ({named or "empty"}), but no checkpoint there can be '
        f'read ({", ".join(tried) or "there is none"}). Start again without --resume, or pass '
        '--resume the path of a readable checkpoint.'
    )


def _candidates(work_dir: Path, named: str, template: str) -> list[Path]:
    """Return the file that ``last_checkpoint`` names, then the numbered ones, newest first.

    These have lower numbers than that file. If that file has no number, they are ordered by their
    file times, and those of equal times by number.
    """
    first = [Path(named)] if named else []
    folder = first[0].parent if first and first[0].parent.is_dir() else work_dir
    before, after = map(re.escape, re.split(r'{.*?}', template))
    numbers = re.compile(f'{before}([0-9]+){after}')
    numbered = {
        int(match[1]): path for path in folder.iterdir() if (match := numbers.fullmatch(path.name))
    }
    # A folder may hold higher numbers of an older, longer run.
    if match := numbers.fullmatch(first[0].name) if first else None:
        ranked = sorted((n for n in numbered if n < int(match[1])), reverse=True)
    else:
        written = {n: path.stat().st_mtime_ns for n, path in numbered.items()}
        ranked = sorted(numbered, key=lambda n: (written[n], n), reverse=True)
    return first + [numbered[n] for n in ranked]


def _warn(text: str) -> None:
    print_log(text, logger='current', level=logging.WARNING)


class RestOfEpoch:
    """A data loader without its first batches.

    These are loaded and dropped, so that the loader's workers are in the same random states as
    before the interruption. The random states of this process do not change.

    Args:
        loader: The data loader.
        skipped: Number of batches to leave out.
    """

    def __init__(self, loader: DataLoader, skipped: int) -> None:
        self.loader = loader
        self.skipped = skipped

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        with kept_random_states():
            batches = iter(self.loader)
            for _ in range(self.skipped):
                next(batches)
        yield from batches
