"""The command line of the survey."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.survey.configs import stock_configs
from experiments.survey.distilling import DISTILLERS, OTHER, family_of
from experiments.survey.journal import Journal
from experiments.survey.outcome import FAILED
from experiments.survey.page import page_of
from experiments.survey.pool import Attempts, Limits
from experiments.survey.runs import Run, runs_of
from experiments.survey.table import read_rows, rows_of, update_rows


def main(root: Path, arguments: Sequence[str] | None = None) -> int:
    """Run the survey, or write its page.

    Args:
        root: Root of the checkout.
        arguments: Command line; None for the program's own.

    Returns:
        Exit status, 1 if a config has failed.
    """
    args = _parser(root).parse_args(arguments)
    if args.report:
        args.table.with_suffix('.md').write_text(page_of(read_rows(args.table)), encoding='utf-8')
        return 0
    journal = Journal(args.journal)
    configs = list(stock_configs(args.only))
    runs = runs_of(configs)
    if args.family:
        runs = [run for run in runs if family_of(run.model['type']) == args.family]
    attempts = Attempts(Limits(args.time, args.memory << 30))
    with ThreadPoolExecutor(args.jobs) as pool:
        # The list passes on what an attempt's thread raises.
        list(pool.map(lambda run: _try(run, attempts, journal), runs))
    rows = rows_of(configs, runs, journal)
    update_rows(args.table, rows)
    print(f'wrote {len(rows)} rows of {args.table}; --report makes the page')
    return int(any(row['result'] == FAILED for row in rows))


def _try(run: Run, attempts: Attempts, journal: Journal) -> None:
    outcome = journal.outcome(run.key)
    if outcome is None:
        outcome = attempts.run(run.model, run.imports)
        journal.add(run.key, outcome)
    others = f' and {len(run.configs) - 1} more' if len(run.configs) > 1 else ''
    print(
        f'{outcome.result:7} {outcome.seconds:6.1f} s  {run.configs[0]}{others} {outcome.reason}',
        flush=True,
    )


def _parser(root: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description='Try the distilling version of every detector config that MMDetection ships.'
    )
    parser.add_argument('--only', default='*', metavar='GLOB', help='configs, as folder/name.py')
    parser.add_argument('--family', choices=(*DISTILLERS, OTHER))
    parser.add_argument('--jobs', type=int, default=1, help='processes side by side')
    parser.add_argument('--time', type=float, default=600, help='seconds a config may take')
    parser.add_argument('--memory', type=int, default=12, help='GiB that a config may take')
    parser.add_argument(
        '--journal',
        type=Path,
        default=root / 'work_dirs' / 'survey_detectors.jsonl',
        help='what has been tried; a config in it is not tried again with the same sources',
    )
    parser.add_argument(
        '--table',
        type=Path,
        default=root / 'docs' / 'reports' / 'supported_detectors.csv',
        help='where the results go; rows of other configs stay as they are',
    )
    parser.add_argument(
        '--report', action='store_true', help='only write the page, from the table, beside it'
    )
    return parser
