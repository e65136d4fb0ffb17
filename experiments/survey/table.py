"""The survey as CSV, one row a config."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from experiments.survey.configs import StockConfig
from experiments.survey.distilling import family_of
from experiments.survey.journal import ORIGIN, Journal
from experiments.survey.outcome import NOT_RUN
from experiments.survey.runs import Run, head_of

COLUMNS = (
    *('config', 'family', 'detector', 'head', 'loss_cls', 'result', 'reason', 'seconds', 'run'),
    *ORIGIN,
)


def rows_of(
    configs: Iterable[StockConfig], runs: Iterable[Run], journal: Journal
) -> list[dict[str, str]]:
    """Describe what became of each config.

    Args:
        configs: All configs.
        runs: Their runs.
        journal: The outcomes of the runs.

    Returns:
        A row a config, in their order; configs of runs that have not been
        tried are left out.
    """
    run_of = {name: run for run in runs for name in run.configs}
    rows = []
    for config in configs:
        row = dict.fromkeys(COLUMNS, '') | {'config': config.name}
        if config.model is None:
            rows.append(row | journal.origin | {'result': NOT_RUN, 'reason': config.problem})
            continue
        run = run_of.get(config.name)
        outcome = run and journal.outcome(run.key)
        if outcome is None:
            continue
        head, loss = head_of(config.model)
        rows.append(
            row
            | journal.origin_of(run.key)
            | {
                'family': family_of(config.model['type']),
                'detector': config.model['type'],
                'head': head,
                'loss_cls': loss,
                'result': outcome.result,
                'reason': outcome.reason,
                'seconds': f'{outcome.seconds:.1f}',
                'run': run.configs[0],
            }
        )
    return rows


def update_rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """Write rows as CSV, in the order of their configs, over those that a file may have of them."""
    table = {row['config']: row for row in read_rows(path)} if path.is_file() else {}
    table |= {row['config']: row for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', encoding='utf-8', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
        writer.writeheader()
        writer.writerows(table[config] for config in sorted(table))


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read what :func:`update_rows` wrote."""
    with path.open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))
