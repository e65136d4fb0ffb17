"""Where a subcommand writes, and what it says of it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.provenance import commit, provenance
from mmdet_kdrank.teachers.teacher import Teacher


def runs_of(args: argparse.Namespace) -> list[FinishedRun]:
    """Return the runs that a command line names, one or two."""
    return [FinishedRun(path) for path in (args.run_a, args.run_b) if path is not None]


def names_of(runs: list[FinishedRun]) -> list[str]:
    """Return what to call them: their folders' names, or their paths where these are the same."""
    names = [run.name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.work_dir) for run in runs]


def out_folder(args: argparse.Namespace, command: str) -> Path:
    """Return the folder to write to, made if missing."""
    named = '-'.join(run.name for run in runs_of(args))
    folder = args.out or Path('work_dirs') / 'analysis' / f'{command}-{named}'
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_json(
    path: Path, results: dict[str, Any], runs: list[FinishedRun], teacher: Teacher | None = None
) -> None:
    """Write results with where they come from; ``teacher`` is what the runs were set against."""
    origin = {
        'runs': {str(run.work_dir): str(run.checkpoint) for run in runs},
        **({'teacher': teacher.checkpoint} if teacher is not None else {}),
        'commit': commit(),
        **provenance(),
    }
    path.write_text(json.dumps({**results, **origin}, indent=1) + '\n', encoding='utf-8')
