"""``analyze.py ranking``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdet_kdrank.diagnostics.ranking import Mean, Ranking, ranking
from mmdet_kdrank.files.markdown import markdown_table
from mmdet_kdrank.report.commands.base import (
    add_command,
    logits_of_runs,
    out_folder,
    runs_of,
    write_json,
)
from mmdet_kdrank.runs.box_logits import BoxLogits

SCORE_EDGES = (0.05, 0.25, 0.5, 0.75)
TOPK = (1, 3, 5)
_NAMED = 40  # more classes than that have no room for their names


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``ranking`` to the command line of ``tools/analyze.py``."""
    summary = 'how alike two students and their teacher rank the classes'
    parser = add_command(subparsers, 'ranking', summary, run)
    parser.add_argument('--teacher', type=Path, metavar='WORK_DIR', help='of the teacher')


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write JSON and plot; return the exit status."""
    folder = out_folder(args, 'ranking')
    runs = runs_of(args)
    boxes, teacher = logits_of_runs(args, runs)
    rankings = {name: rank_student(boxes, name) for name in runs}
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


def plot_rankings(
    rankings: Mapping[str, Ranking],
    classes: Sequence[str],
    edges: Sequence[float],
    path: Path | str,
) -> None:
    """Plot the rankings of several students against one teacher.

    Args:
        rankings: By the name that the legend gives them.
        classes: Names of the classes.
        edges: Bounds between the intervals of the teacher's score.
        path: Image file to write.
    """
    figure = Figure(figsize=(12, 3.8), layout='constrained')
    classwise, confidence, top = figure.subplots(1, 3, width_ratios=(2.4, 1.2, 1))
    # By the first student's tau, so that lines of others show where they differ.
    first = [mean.value for mean in next(iter(rankings.values())).by_class]
    order = np.argsort(first)  # classes without a box, NaN, come last
    for name, student in rankings.items():
        taus = np.array([mean.value for mean in student.by_class])[order]
        classwise.plot(range(len(classes)), taus, 'o-', markersize=3, label=name)
    ticks = range(len(classes)) if len(classes) <= _NAMED else []
    classwise.set_xticks(ticks, [classes[order[i]] for i in ticks], rotation=90, fontsize=7)
    classwise.set(title='tau by class', ylabel='Kendall tau')
    classwise.legend()
    bounds = [0.0, *edges, 1.0]
    names = [f'{a:g}–{b:g}' for a, b in zip(bounds, bounds[1:], strict=False)]
    scores = {n: [mean.value for mean in student.by_score] for n, student in rankings.items()}
    _bars(confidence, scores, names)
    confidence.set(title="tau by the teacher's score", xlabel='highest class probability')
    ks = list(next(iter(rankings.values())).topk)
    shares = {n: list(student.topk.values()) for n, student in rankings.items()}
    _bars(top, shares, [f'top-{k}' for k in ks])
    top.set(title='shared best classes', ylim=(0, 1))
    for axis in (classwise, confidence, top):
        axis.grid(alpha=0.3, axis='y')
    figure.savefig(path, dpi=100)


def _bars(axis: Axes, values: Mapping[str, Sequence[float]], names: Sequence[str]) -> None:
    width = 0.8 / len(values)
    for number, (name, heights) in enumerate(values.items()):
        places = np.arange(len(names)) - 0.4 + width * (number + 0.5)
        axis.bar(places, heights, width, label=name)
    axis.set_xticks(range(len(names)), names, fontsize=8, rotation=30)
