"""What the subcommands share: arguments, the runs that they name, and where they write."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmdet_kdrank.runs.box_logits import BoxLogits, box_logits
from mmdet_kdrank.runs.finished_run import FinishedRun, find_teacher
from mmdet_kdrank.runs.provenance import commit, provenance
from mmdet_kdrank.runs.validation import Validation
from mmdet_kdrank.teachers.teacher import Teacher

Runs = dict[str, FinishedRun]
"""Runs by the names that tables and plots give them."""


def add_command(
    subparsers: argparse._SubParsersAction,
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int],
    second: str | None = None,
) -> argparse.ArgumentParser:
    """Add a subcommand with its runs, ``--images``, ``--device`` and ``--out``.

    Args:
        subparsers: Of ``tools/analyze.py``.
        name: Of the subcommand.
        summary: What it does, in one line.
        run: Takes the parsed arguments and returns an exit status.
        second: ``'?'`` where the second run may be left out.

    Returns:
        Its parser.
    """
    parser = subparsers.add_parser(name, help=summary)
    parser.add_argument('run_a', type=Path, metavar='RUN_A', help='folder of a training')
    parser.add_argument(
        'run_b', type=Path, nargs=second, metavar='RUN_B', help='folder to compare it with'
    )
    parser.add_argument(
        '--images',
        type=int,
        metavar='N',
        help='the first N validation images; default: all of them, and in a report four',
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--out', type=Path, help='folder to write; default: one in work_dirs')
    parser.set_defaults(func=run)
    return parser


def runs_of(args: argparse.Namespace) -> Runs:
    """Return the runs that a command line names, one or two.

    Their names are those of their folders, or their paths where these are the same.
    """
    runs = [FinishedRun(path) for path in (args.run_a, args.run_b) if path is not None]
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.work_dir) for run in runs]
    return dict(zip(names, runs, strict=True))


def logits_of_runs(args: argparse.Namespace, runs: Runs) -> tuple[BoxLogits, Teacher]:
    """Ask the runs' detectors and their teacher about the annotated validation boxes."""
    teacher = find_teacher(list(runs.values()), args.teacher).load()
    teacher.model.to(args.device)
    students = {name: run.load(args.device) for name, run in runs.items()}
    validation = Validation(next(iter(runs.values())).config, args.images)
    return box_logits(students, teacher, validation), teacher


def out_folder(args: argparse.Namespace, command: str) -> Path:
    """Return the folder to write to, made if missing."""
    named = '-'.join(run.name for run in runs_of(args).values())
    folder = args.out or Path('work_dirs') / 'analysis' / f'{command}-{named}'
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_json(
    path: Path, results: dict[str, Any], runs: Runs, teacher: Teacher | None = None
) -> None:
    """Write results and their origin; ``teacher`` is the one that the runs were set against."""
    origin = {
        'runs': {str(run.work_dir): str(run.checkpoint) for run in runs.values()},
        **({'teacher': teacher.checkpoint} if teacher is not None else {}),
        'commit': commit(),
        **provenance(),
    }
    path.write_text(json.dumps({**results, **origin}, indent=1) + '\n', encoding='utf-8')
