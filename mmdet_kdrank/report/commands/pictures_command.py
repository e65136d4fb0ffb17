"""``analyze.py pictures``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.files.markdown import markdown_table
from mmdet_kdrank.report.commands.base import add_command, out_folder, runs_of, write_json
from mmdet_kdrank.report.image_detections import detect, draw_gallery, extremes, image_ap50
from mmdet_kdrank.runs.validation import Validation


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``pictures`` to the command line of ``tools/analyze.py``."""
    summary = 'the images on which RUN_B is most better, and most worse, than RUN_A'
    parser = add_command(subparsers, 'pictures', summary, run)
    parser.add_argument('--count', type=int, default=4, help='images of either kind')
    parser.add_argument('--score', type=float, default=0.3, help='detections below it do not count')


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write JSON and draw; return the exit status."""
    folder = out_folder(args, 'pictures')
    runs = runs_of(args)
    validation = Validation(next(iter(runs.values())).config, args.images)
    detectors = {name: run.load(args.device).model for name, run in runs.items()}
    scores = score_images(detectors, validation, args.score)
    if not scores:
        raise ArgumentError('No validation image has an annotated box. Look at more of them.')
    before, after = detectors
    gains = {index: row[after] - row[before] for index, row in scores.items()}
    indices = list(scores)
    kinds = zip(('improved', 'worsened'), extremes(list(gains.values()), args.count), strict=True)
    chosen = {kind: [indices[place] for place in places] for kind, places in kinds}
    for kind, numbers in chosen.items():
        if numbers:
            path = folder / f'{kind}.jpg'
            _draw(validation, detectors, numbers, scores, path, args.score)
    rows = [
        {'image': validation[index].path, 'gain': gains[index], **row}
        for index, row in scores.items()
    ]
    results = {'measure': 'AP50 of the image', 'least_score': args.score, 'images': rows}
    write_json(folder / 'pictures.json', results, runs)
    print(_table(scores, gains), f'\nwrote {folder}/pictures.json and its images')
    return 0


def score_images(
    detectors: Mapping[str, nn.Module], validation: Validation, threshold: float
) -> dict[int, dict[str, float]]:
    """Return AP50 of each detector on each image that has annotations, by the image's index.

    Detections with a score below ``threshold`` do not count, as :func:`_draw` does not show them.
    """
    classes = len(validation.classes)
    return {
        index: {
            name: image_ap50(detect(detector, image, threshold), image.truth, classes)
            for name, detector in detectors.items()
        }
        for index, image in enumerate(validation)
        if len(image.truth)
    }


def _draw(
    validation: Validation,
    detectors: Mapping[str, nn.Module],
    indices: list[int],
    scores: dict[int, dict[str, float]],
    path: Path,
    threshold: float,
) -> None:
    shown = [validation[index] for index in indices]
    columns = {'ground truth': [image.truth for image in shown]}
    for name, detector in detectors.items():
        mean = sum(scores[index][name] for index in indices) / len(indices)
        columns[f'{name}: AP50 {100 * mean:.0f}'] = [
            detect(detector, image, threshold) for image in shown
        ]
    draw_gallery([image.pixels for image in shown], columns, validation.metainfo, path, threshold)


def _table(scores: dict[int, dict[str, float]], gains: dict[int, float]) -> str:
    names = list(next(iter(scores.values())))
    means = [sum(row[name] for row in scores.values()) / len(scores) for name in names]
    better = sum(gain > 0 for gain in gains.values())
    worse = sum(gain < 0 for gain in gains.values())
    header = ['images', *(f'{name}: mean AP50 of an image' for name in names), 'better', 'worse']
    cells = [str(len(scores)), *(f'{100 * mean:.1f}' for mean in means), str(better), str(worse)]
    return markdown_table(header, [cells], numbers=True)
