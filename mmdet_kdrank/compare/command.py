"""The command line of ``tools/compare.py``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import DictAction

from mmdet_kdrank.compare.experiment import Run, runs_of
from mmdet_kdrank.compare.plan import Plan, plan_of_configs, read_plan
from mmdet_kdrank.compare.progress import Progress
from mmdet_kdrank.compare.rehearsal import rehearse
from mmdet_kdrank.compare.results import write_report
from mmdet_kdrank.datasets.config_check import check_data
from mmdet_kdrank.datasets.shapes.folder import write_shapes
from mmdet_kdrank.errors import ArgumentError, KDRankError
from mmdet_kdrank.runs.exclusive import exclusive, signals_interrupt
from mmdet_kdrank.runs.job_pool import run_jobs
from mmdet_kdrank.runs.provenance import cpu_count


def main(root: Path, arguments: list[str] | None = None) -> int:
    """Entry point of ``tools/compare.py``.

    Args:
        root: Folder with ``tools/``.
        arguments: Of the command line; default ``sys.argv[1:]``.

    Returns:
        The exit status.
    """
    args = _parser().parse_args(arguments)
    try:
        plan = _plan(args)
        runs = runs_of(plan)
        if not args.report:
            with signals_interrupt():
                run(plan, runs, root, args.jobs)
        files = write_report(plan, runs, args.out)
    except KDRankError as error:
        print(f'\n{error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted. The same command goes on from here.', file=sys.stderr)
        return 130
    print((plan.folder / 'table.md').read_text(encoding='utf-8').split('## AP by class')[0].strip())
    for path in files:
        print(path)
    return 0


def run(plan: Plan, runs: Sequence[Run], root: Path, jobs: int | None = None) -> None:
    """Do the trainings and evaluations of a comparison that are not done yet.

    Args:
        plan: The comparison.
        runs: All of its runs.
        root: Folder with ``tools/``.
        jobs: Number of processes side by side; default one for each GPU, or for each core.

    Raises:
        FileNotFoundError: If a teacher's checkpoint does not exist.
        ValueError: If the data cannot be trained on, or evaluated.
        RunError: If the folder is in use, or a training or an evaluation fails.
    """
    slots = _slots(jobs)
    plan.assert_teachers_exist()
    with exclusive(plan.folder) as lock:
        if plan.images and write_shapes(plan.data, plan.images):
            print(f'Images written to {plan.data}', flush=True)
        kept = sum(run.is_done() for run in runs)
        if kept < len(runs):
            # All variants have the same data; a faulty test set would show after the training.
            check_data(next(iter(plan.variants.values())), test_needed=True)
            _rehearse(plan)
        print(f'{plan.name}: {len(runs)} runs, {kept} kept, {len(slots)} at a time', flush=True)
        every_job = [job for run in runs for job in run.jobs]
        run_jobs(every_job, slots, root, lock, line=Progress(runs, len(slots)))


def _rehearse(plan: Plan) -> None:
    """Try the evaluation of each test set, before the trainings."""
    seen: list[tuple] = []
    for name, config in plan.variants.items():
        data = config.test_dataloader, config.test_evaluator
        if data not in seen:
            rehearse(name, config)
            seen.append(data)


def _slots(jobs: int | None) -> list[dict[str, str]]:
    """Give each process one thread, so that results do not depend on how many run at a time."""
    if jobs is not None and jobs < 1:
        raise ArgumentError(f'--jobs {jobs} must be at least 1.')
    slot = {'OMP_NUM_THREADS': '1'}
    devices = _devices()
    if not devices:
        return [slot] * (jobs or cpu_count())
    return [
        {**slot, 'CUDA_VISIBLE_DEVICES': devices[number % len(devices)]}
        for number in range(jobs or len(devices))
    ]


def _devices() -> list[str]:
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    names = visible.split(',') if visible else map(str, range(torch.cuda.device_count()))
    return list(names)[: torch.cuda.device_count()]


def _plan(args: argparse.Namespace) -> Plan:
    if args.plan:
        if args.configs:
            raise ArgumentError('Give configs or --plan, not both: a plan names its configs.')
        return read_plan(args.plan, args.seeds, args.work_dir, args.baseline, args.cfg_options)
    seeds = 3 if args.seeds is None else args.seeds
    return plan_of_configs(args.configs, seeds, args.work_dir, args.baseline, args.cfg_options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description='Train configs with the same seeds and tell whether they really differ.'
    )
    parser.add_argument('configs', nargs='*', metavar='CONFIG', help='two or more')
    parser.add_argument('--plan', help='file with variants, seeds and options, instead of configs')
    parser.add_argument('--seeds', type=int, help='trainings of each config; default 3')
    parser.add_argument('--work-dir', type=Path, help='default work_dirs/compare/NAME')
    parser.add_argument('--jobs', type=int, help='side by side; default one a GPU, or one a core')
    parser.add_argument('--baseline', default='', help='variant that the others are compared with')
    parser.add_argument('--report', action='store_true', help='only make tables of finished runs')
    parser.add_argument('--out', type=Path, help='folder that gets copies of the report')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='for all variants')
    return parser
