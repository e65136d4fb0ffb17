"""The command line of the survey."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .configs import stock_configs
from .journal import Journal
from .outcome import WORKS, Outcome
from .pool import Attempts, Limits
from .runs import OTHER, SINGLE_STAGE, TWO_STAGE, Run, family_of, runs_of


def main(root: Path) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', default='*', metavar='GLOB')
    parser.add_argument('--family', choices=(TWO_STAGE, SINGLE_STAGE, OTHER))
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--first', action='store_true')
    parser.add_argument('--journal', type=Path, default=root / 'work_dirs' / 'survey.jsonl')
    args = parser.parse_args()
    configs = list(stock_configs(args.only))
    runs = [r for r in runs_of(configs) if args.family in (None, family_of(r.model['type']))]
    if args.first:
        seen = set()
        runs = [r for r in runs if r.kind not in seen and not seen.add(r.kind)]
    journal = Journal(args.journal)
    attempts = Attempts(Limits())

    def go(run: Run) -> None:
        outcome = journal.get(run.key)
        if outcome is None:
            outcome = attempts.run(run.model, run.imports)
            journal.add(run.key, run.configs[0], outcome)
        print(f'{outcome.result:8} {outcome.seconds:6.1f} s  {run.configs[0]} x{len(run.configs)} {run.kind[1:]} {outcome.reason}', flush=True)

    with ThreadPoolExecutor(args.jobs) as pool:
        for _ in pool.map(go, runs):
            pass
    return 0
