"""The demo, from its command line to its files."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from experiments.demo.outcome import write_report
from experiments.demo.trainings import Plan, full_plan, quick_plan
from mmdet_kdrank.datasets.shapes.folder import write_shapes
from mmdet_kdrank.errors import RunError
from mmdet_kdrank.runs.exclusive import exclusive, signals_interrupt
from mmdet_kdrank.runs.job_pool import run_jobs
from mmdet_kdrank.runs.provenance import cpu_count
from mmdet_kdrank.runs.training_job import Training


def run(plan: Plan, root: Path) -> list[Path]:
    """Run the parts of a demo that are not done yet.

    Args:
        plan: The demo.
        root: Checkout with ``configs/`` and ``tools/``.

    Returns:
        The files with its results.

    Raises:
        RunError: If another demo is running in the folder, or a training fails.
    """
    with exclusive(plan.folder) as lock:
        written = write_shapes(plan.data, plan.images)
        print(f'Images: {plan.data} ({"written" if written else "up to date"})', flush=True)
        phases = plan.phases(root)
        for number, trainings in enumerate(phases, start=1):
            run_phase(f'[{number}/{len(phases)}]', trainings, root, lock)
        return write_report(plan, [training for phase in phases for training in phase])


def run_phase(title: str, trainings: list[Training], root: Path, lock: int) -> None:
    """Run the trainings that are not done yet, at the same time.

    Args:
        title: Start of the progress line.
        trainings: They are independent of each other.
        root: Checkout with ``tools/``.
        lock: The lock that :func:`~mmdet_kdrank.runs.exclusive` returned.

    Raises:
        RunError: If one fails; the others are stopped.
    """
    for training in filter(Training.is_done, trainings):
        print(f'{title} {training.name}: kept from an earlier run', flush=True)
    number = max(1, sum(not training.is_done() for training in trainings))
    slot = {'OMP_NUM_THREADS': str(max(1, min(4, cpu_count() // number)))}
    run_jobs(trainings, [slot] * number, root, lock, f'{title} ')


def main(root: Path, arguments: list[str] | None = None) -> int:
    """Entry point of ``tools/demo.py``.

    Args:
        root: Checkout with ``configs/`` and ``tools/``.
        arguments: Of the command line; default ``sys.argv[1:]``.

    Returns:
        Exit status.
    """
    parser = argparse.ArgumentParser(description='Teacher, students and their COCO mAP.')
    parser.add_argument('--quick', action='store_true', help='all steps, in 3 minutes')
    quick = parser.parse_args(arguments).quick
    started = time.monotonic()
    print(
        'Quick demo: about 3 minutes on 2 cores. It runs all steps; its figures mean nothing.'
        if quick
        else 'Demo: four trainings, under 20 minutes on 2 cores.',
        flush=True,
    )
    try:
        with signals_interrupt():
            files = run(quick_plan(root) if quick else full_plan(root), root)
    except RunError as error:
        print(f'\n{error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted. The same command continues from here.', file=sys.stderr)
        return 130
    for path in files:
        print(path)
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f'Done in {minutes} min {seconds} s.')
    if quick:
        print('These trainings were far too short to compare. Run the full demo for that.')
    return 0
