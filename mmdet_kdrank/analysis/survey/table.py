"""The survey as CSV, one row a config."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from .configs import StockConfig
from .distilling import family_of
from .journal import ORIGIN, Journal
from .outcome import NOT_RUN
from .runs import Run, head_of

COLUMNS = (
    *('config', 'family', 'detector', 'head', 'loss_cls', 'result', 'reason', 'seconds', 'run'),
    *ORIGIN,
)


def rows_of(
    configs: Iterable[StockConfig], runs: Iterable[Run], journal: Journal
) -> list[dict[str, str]]:
    """Describe what became of each config.

    Args:
        configs (Iterable[StockConfig]): All configs.
        runs (Iterable[Run]): Their runs.
        journal (Journal): The outcomes of the runs.

    Returns:
        list[dict[str, str]]: A row a config, in their order; configs of runs that have not been
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


def write_rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """Write rows as CSV; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', encoding='utf-8', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read what :func:`write_rows` wrote."""
    with path.open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))
