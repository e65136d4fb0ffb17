"""``analyze.py ranking``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from mmdet_kdrank.diagnostics.ranking import Mean, Ranking, ranking
from mmdet_kdrank.files.markdown import markdown_table
from mmdet_kdrank.report.commands.base import (
    add_command,
    logits_of_runs,
    out_folder,
    runs_of,
    write_json,
)
from mmdet_kdrank.report.ranking_plot import plot_rankings
from mmdet_kdrank.runs.box_logits import BoxLogits

SCORE_EDGES = (0.05, 0.25, 0.5, 0.75)
TOPK = (1, 3, 5)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``ranking`` to the command line of ``tools/analyze.py``."""
    summary = 'how alike two students and their teacher rank the classes'
    parser = add_command(subparsers, 'ranking', summary, run)
    parser.add_argument('--teacher', type=Path, metavar='WORK_DIR', help='of the teacher')


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write JSON and plot; return the exit status."""
    runs = runs_of(args)
    boxes, teacher = logits_of_runs(args, runs)
    rankings = {name: rank_student(boxes, name) for name in runs}
    folder = out_folder(args, 'ranking')
    results = {
        'classes': boxes.classes,
        'score_edges': SCORE_EDGES,
        'students': {name: _as_json(student) for name, student in rankings.items()},
    }
    write_json(folder / 'ranking.json', results, runs, teacher)
    plot_rankings(rankings, boxes.classes, SCORE_EDGES, folder / 'ranking.png')
    print(_table(rankings), f'\nwrote {folder}/ranking.json and ranking.png')
    return 0


def rank_student(boxes: BoxLogits, name: str) -> Ranking:
    """Set a student's rankings of the annotated boxes against the teacher's."""
    return ranking(
        boxes.students[name],
        boxes.teacher,
        boxes.teacher_score(),
        boxes.labels,
        len(boxes.classes),
        edges=SCORE_EDGES,
        topk=TOPK,
    )


def _as_json(student: Ranking) -> dict:
    def plain(mean: Mean) -> dict:
        # JSON has no NaN.
        return {'tau': mean.value if mean.rows else None, 'boxes': mean.rows}

    return {
        **plain(student.tau),
        'by_class': [plain(mean) for mean in student.by_class],
        'by_score': [plain(mean) for mean in student.by_score],
        'topk': asdict(student)['topk'],
    }


def _table(rankings: dict[str, Ranking]) -> str:
    bounds = [0.0, *SCORE_EDGES, 1.0]
    ranges = [f'tau, score {a:g}-{b:g}' for a, b in zip(bounds, bounds[1:], strict=False)]
    ks = list(next(iter(rankings.values())).topk)
    rows = [
        [
            name,
            f'{student.tau.value:.3f}',
            *(f'{mean.value:.3f}' if mean.rows else '' for mean in student.by_score),
            *(f'{100 * student.topk[k]:.1f} %' for k in ks),
        ]
        for name, student in rankings.items()
    ]
    header = ['student', 'tau', *ranges, *(f'top-{k}' for k in ks)]
    return markdown_table(header, rows, numbers=True)
