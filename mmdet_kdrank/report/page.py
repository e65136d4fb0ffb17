"""The page as a whole."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch

from mmdet_kdrank.diagnostics.journal import read_diagnostics
from mmdet_kdrank.report.html import BLOCKS, TEMPLATES, data_uri
from mmdet_kdrank.report.image_detections import detect, draw_gallery
from mmdet_kdrank.report.page_sections import (
    curves_section,
    diagnostics_section,
    provenance_section,
    results_section,
    settings_section,
)
from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.scalars import MEAN_AP, curve, read_scalars
from mmdet_kdrank.runs.validation import Validation


def write_page(
    runs: Mapping[str, FinishedRun],
    path: Path,
    images: int = 4,
    device: torch.device | str = 'cpu',
) -> None:
    """Write one HTML file about a run, or two side by side.

    It holds all that it shows, refers to nothing outside, and runs no script.

    Args:
        runs: One or two, by the names that tables and plots give them.
        path: File to write.
        images: Number of validation images to draw with the detections; 0 needs no data set.
        device: Where the detectors run.
    """
    scalars = {name: read_scalars(run.work_dir) for name, run in runs.items()}
    distilled = {name for run in runs.values() for name in run.distilled}
    diagnostics = {name: read_diagnostics(run.work_dir) for name, run in runs.items()}
    sections = {
        'results': ('Results', results_section(scalars)),
        'curves': ('Curves', curves_section(scalars, distilled)),
        'diagnostics': ('Diagnostics of the distillation', diagnostics_section(diagnostics)),
        'pictures': ('Images', _images_section(runs, images, device) if images else ''),
        'settings': ('Settings', settings_section(runs)),
        'provenance': ('Provenance', provenance_section(runs)),
    }
    content = TEMPLATES.get_template('page.html').render(
        title=' and '.join(runs), summary=_summary(scalars), sections=sections
    )
    path.write_text(content, encoding='utf-8')


def _summary(scalars: Mapping[str, list[dict[str, float]]]) -> str:
    sentences = []
    for name, records in scalars.items():
        steps, values = curve(records, MEAN_AP)
        result = f'mAP {100 * values[-1]:.1f} at iteration {steps[-1]:g}' if steps else 'no mAP yet'
        one = f'{result[0].upper()}{result[1:]}.'
        sentences.append(f'{name}: {result}.' if len(scalars) > 1 else one)
    return ' '.join(sentences)


def _images_section(runs: Mapping[str, FinishedRun], count: int, device: torch.device | str) -> str:
    validation = Validation(next(iter(runs.values())).config, count)
    shown = list(validation)
    detections = {}
    for name, run in runs.items():
        detector = run.load(device).model
        detections[name] = [detect(detector, image) for image in shown]
    columns = {'ground truth': [image.truth for image in shown], **detections}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'images.jpg'
        draw_gallery([image.pixels for image in shown], columns, validation.metainfo, file)
        address = data_uri(file.read_bytes(), 'image/jpeg')
    objects = sum(len(image.truth) for image in shown)
    alternative = f'{len(shown)} validation images with {objects} annotated objects. ' + ' '.join(
        f'{name} has {sum(int((boxes.scores >= 0.3).sum()) for boxes in images)} detections there.'
        for name, images in detections.items()
    )
    caption = 'The first validation images; detections with a score of 0.3 or more.'
    return BLOCKS.figure(caption, [BLOCKS.image(alternative, address)])
