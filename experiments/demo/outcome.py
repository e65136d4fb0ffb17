"""Turns finished trainings into a table, a JSON file, an image of detections and a plot."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import torch
from mmdet.apis import inference_detector, init_detector
from mmdet.models.detectors import BaseDetector
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from terminaltables import AsciiTable

from experiments.demo.class_agreement import class_agreement
from experiments.demo.curves import plot_curves
from experiments.demo.trainings import ALONE, TEACHER, Plan
from mmdet_kdrank.report.image_detections import draw_gallery
from mmdet_kdrank.runs.provenance import provenance
from mmdet_kdrank.runs.scalars import (
    AP50,
    MEAN_AP,
    curve,
    read_scalars,
    seconds_per_iteration,
)
from mmdet_kdrank.runs.training_job import Training

_SHOWN_IMAGES = 4
_HEADER = ('one seed', 'mAP', 'AP50', 'tau', 'top-1', 's/iteration', 'iterations')
_LEGEND = (
    'mAP, AP50: COCO, on the val images. tau, top-1: agreement with the teacher in ranking the\n'
    'classes of the annotated val boxes (Kendall tau, 1 = same order; share with the same best).\n'
    'One seed and few images: differences of a point or two between students prove nothing.'
)


def write_report(plan: Plan, trainings: list[Training]) -> list[Path]:
    """Evaluate the trained detectors, print the table and write the files.

    Args:
        plan: The demo.
        trainings: All finished, the teacher first.

    Returns:
        The written files.
    """
    by_name = {training.name: training for training in trainings}
    logs = {name: read_scalars(training.work_dir) for name, training in by_name.items()}
    with redirect_stdout(io.StringIO()):  # libraries announce each file they read
        student = by_name[ALONE]
        detectors = {name: _load(training, student) for name, training in by_name.items()}
        loader = Runner.build_dataloader(by_name[TEACHER].settings.val_dataloader)

    rows = []
    for number, (name, training) in enumerate(by_name.items(), start=1):
        print(f'[results {number}/{len(by_name)}] {name}: ranks of the val boxes', flush=True)
        agreement = class_agreement(detectors[name], detectors[TEACHER], loader)
        rows.append(
            {
                'name': name,
                'mAP': _last(logs[name], MEAN_AP),
                'AP50': _last(logs[name], AP50),
                **({} if name == TEACHER else agreement),
                'seconds_per_iteration': seconds_per_iteration(logs[name]),
                'iterations': training.iterations,
            }
        )
    results = {
        'rows': rows,
        'seed': plan.seed,
        'note': 'one seed',
        'pictures': plan.images.manifest(),
        'settings': {name: training.settings.to_dict() for name, training in by_name.items()},
        **provenance(),
    }
    files = [plan.folder / name for name in ('results.json', 'detections.png', 'curves.png')]
    files[0].write_text(json.dumps(results, indent=1, default=str) + '\n')
    print(f'Drawing {_SHOWN_IMAGES} images and the curves', flush=True)
    _draw_detections(loader.dataset, detectors, files[1])
    plot_curves(logs, files[2])
    print(format_table(rows))
    return files


def _last(records: list[dict[str, float]], key: str) -> float:
    values = curve(records, key)[1]
    # CocoMetric reports nothing for a detector that detects nothing.
    return values[-1] if values else 0.0


def format_table(rows: list[dict]) -> str:
    """Lay out the results.

    Args:
        rows: As in ``results.json``.

    Returns:
        A table with a legend below it.
    """
    lines = [
        [
            row['name'],
            f'{100 * row["mAP"]:.1f}',
            f'{100 * row["AP50"]:.1f}',
            f'{row["tau"]:.3f}' if 'tau' in row else '',
            f'{100 * row["top1"]:.1f} %' if 'top1' in row else '',
            f'{row["seconds_per_iteration"]:.2f}',
            str(row['iterations']),
        ]
        for row in rows
    ]
    table = AsciiTable([_HEADER, *lines])
    for column in range(1, len(_HEADER)):
        table.justify_columns[column] = 'right'
    return f'{table.table}\n{_LEGEND}'


def _load(training: Training, student: Training) -> BaseDetector:
    """Load a checkpoint; a distilled student is loaded into the stock student's config."""
    settings = training.settings if training.name == TEACHER else student.settings
    return init_detector(settings, str(training.checkpoint), palette='none', device='cpu')


def _draw_detections(
    dataset: torch.utils.data.Dataset, detectors: dict[str, BaseDetector], path: Path
) -> None:
    images, truth = [], []
    columns: dict[str, list[InstanceData]] = {name: [] for name in detectors}
    for index in range(min(_SHOWN_IMAGES, len(dataset))):
        data = dataset[index]
        image = data['inputs'].permute(1, 2, 0).numpy()
        images.append(image[..., ::-1].copy())
        boxes = data['data_samples'].gt_instances
        truth.append(InstanceData(bboxes=boxes.bboxes.tensor, labels=boxes.labels))
        for name, detector in detectors.items():
            detected = inference_detector(detector, data['data_samples'].img_path)
            columns[name].append(detected.pred_instances)
    draw_gallery(images, {'ground truth': truth, **columns}, dataset.metainfo, path)
