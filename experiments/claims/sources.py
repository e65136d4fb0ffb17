"""Where the command takes its logits from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mmengine.config import Config

from experiments.claims.detectors import trained_logits
from experiments.claims.logits import LogitSet
from experiments.claims.npz import read_logits
from experiments.claims.quiet import quiet
from experiments.demo.trainings import ALONE, TEACHER, full_plan
from mmdet_kdrank.errors import ArgumentError, MissingFileError
from mmdet_kdrank.ops.checks import blamed_on


def real_logits(args: argparse.Namespace) -> tuple[list[LogitSet], dict[str, Any]]:
    """Find the logits of a trained pair, as the command line asks.

    Args:
        args: Parsed arguments, with ``root``.

    Returns:
        The sets, foreground first, and how they came about, of plain JSON types.

    Raises:
        ArgumentError: If options exclude each other, or one of a pair is missing.
        MissingFileError: If a file is missing, or nothing is asked for and no demo has run.
    """
    pair = args.student is not None or args.teacher is not None
    if (args.logits is not None) + pair + args.random > 1:
        raise ArgumentError('Give one of --logits, --student with --teacher, and --random.')
    if args.save_logits and (args.random or args.logits is not None):
        raise ArgumentError(
            '--save-logits keeps what a pair of detectors says, and --random and --logits take no '
            'pair. Leave it out.'
        )
    if args.cfg_options and args.student is None:
        raise ArgumentError(
            "--cfg-options changes the student's config. Name one with --student, or leave it out."
        )
    if args.random:
        return [], {'source': 'random logits alone'}
    if args.logits is not None:
        return read_logits(args.logits)
    if not pair:
        return _of_demo(args)
    if args.student is None or args.teacher is None:
        raise ArgumentError('--student and --teacher go together: CONFIG CHECKPOINT each.')
    path, checkpoint = args.student
    with blamed_on(f'--student {path}', 'Give a config file with a model and a val_dataloader.'):
        config = Config.fromfile(path)
        if args.cfg_options:
            config.merge_from_dict(args.cfg_options)
    return _trained(args, (config, checkpoint), args.teacher, [path, args.teacher[0]])


def _of_demo(args: argparse.Namespace) -> tuple[list[LogitSet], dict[str, Any]]:
    trainings = {
        training.name: training
        for phase in full_plan(args.root).phases(args.root)
        for training in phase
    }
    student, teacher = trainings[ALONE], trainings[TEACHER]
    checkpoints = (student.checkpoint, teacher.checkpoint)
    missing = [checkpoint for checkpoint in checkpoints if not checkpoint.is_file()]
    if missing:
        raise MissingFileError(
            f'{missing[0]} does not exist: no demo has left a trained pair. Run `make demo` (20 '
            'minutes), name a pair with --student and --teacher or a file with --logits, or give '
            '--random for random logits alone.'
        )
    pair = (
        (student.settings, str(student.checkpoint)),
        (str(teacher.config), str(teacher.checkpoint)),
    )
    return _trained(args, *pair, [str(student.config), str(teacher.config)])


def _trained(
    args: argparse.Namespace,
    student: tuple[Config, str],
    teacher: tuple[str, str],
    configs: list[str],
) -> tuple[list[LogitSet], dict[str, Any]]:
    with quiet():
        sets = trained_logits(student, tuple(teacher), args.rows, seed=args.seed)
    made = {
        'source': 'rows that a distillation samples on the val images',
        'student': f'{Path(configs[0]).name}, {Path(student[1]).name}',
        'teacher': f'{Path(configs[1]).name}, {Path(teacher[1]).name}',
        'seed': args.seed,
        'rows': {logits.name: len(logits.teacher) for logits in sets},
    }
    return sets, made
