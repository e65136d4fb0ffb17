"""``analyze.py ranking``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from mmdet_kdrank.diagnostics.ranking import Mean, Ranking, ranking
from mmdet_kdrank.files.markdown import markdown_table
from mmdet_kdrank.report.commands.output import names_of, out_folder, runs_of, write_json
from mmdet_kdrank.report.ranking_plot import plot_rankings
from mmdet_kdrank.runs.box_logits import BoxLogits, box_logits
from mmdet_kdrank.runs.finished_run import add_arguments, find_teacher, load
from mmdet_kdrank.runs.validation import Validation

SCORE_EDGES = (0.05, 0.25, 0.5, 0.75)
TOPK = (1, 3, 5)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``ranking`` to the command line of ``tools/analyze.py``."""
    parser = subparsers.add_parser(
        'ranking', help='how alike two students and their teacher rank the classes'
    )
    add_arguments(parser)
    parser.add_argument('--teacher', type=Path, metavar='WORK_DIR', help='of the teacher')
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write JSON and plot.

    Args:
        args: Parsed arguments.

    Returns:
        Exit status.
    """
    runs = runs_of(args)
    teacher = load(find_teacher(runs, args.teacher), args.device)
    students = {n: r.load(args.device) for n, r in zip(names_of(runs), runs, strict=True)}
    boxes = box_logits(students, teacher, Validation(runs[0].config, args.images))
    rankings = {name: rank_student(boxes, name) for name in students}
    folder = out_folder(args, 'ranking')
    results = {
        'classes': boxes.classes,
        'score_edges': SCORE_EDGES,
        'students': {name: _as_json(found) for name, found in rankings.items()},
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


def _as_json(found: Ranking) -> dict:
    def plain(mean: Mean) -> dict:
        # JSON has no NaN.
        return {'tau': mean.value if mean.rows else None, 'boxes': mean.rows}

    return {
        **plain(found.tau),
        'by_class': [plain(mean) for mean in found.by_class],
        'by_score': [plain(mean) for mean in found.by_score],
        'topk': asdict(found)['topk'],
    }


def _table(rankings: dict[str, Ranking]) -> str:
    bounds = [0.0, *SCORE_EDGES, 1.0]
    ranges = [f'tau, score {a:g}-{b:g}' for a, b in zip(bounds, bounds[1:], strict=False)]
    ks = list(next(iter(rankings.values())).topk)
    rows = [
        [
            name,
            f'{found.tau.value:.3f}',
            *(f'{mean.value:.3f}' if mean.rows else '' for mean in found.by_score),
            *(f'{100 * found.topk[k]:.1f} %' for k in ks),
        ]
        for name, found in rankings.items()
    ]
    header = ['student', 'tau', *ranges, *(f'top-{k}' for k in ks)]
    return markdown_table(header, rows, numbers=True)
