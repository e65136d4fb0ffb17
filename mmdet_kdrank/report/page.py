"""The page as a whole."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import mmcv
import torch
from mmengine.structures import InstanceData

from mmdet_kdrank.diagnostics.journal import read_diagnostics
from mmdet_kdrank.report.diagnostics_section import diagnostics_section
from mmdet_kdrank.report.gallery import draw_gallery
from mmdet_kdrank.report.html import BLOCKS, TEMPLATES, data_uri
from mmdet_kdrank.report.image_scores import detect
from mmdet_kdrank.report.results_section import curves_section, results_section
from mmdet_kdrank.report.settings_section import provenance_section, settings_section
from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.scalars import MEAN_AP, curve, read_scalars
from mmdet_kdrank.runs.validation import Validation


def write_page(
    runs: Mapping[str, FinishedRun],
    path: Path,
    pictures: int = 4,
    device: torch.device | str = 'cpu',
) -> None:
    """Write one HTML file about a run, or two side by side.

    It holds all that it shows, refers to nothing outside, and runs no script.

    Args:
        runs: One or two, by the names that tables and plots give them.
        path: File to write.
        pictures: Number of validation images to draw with the detections; 0 needs no data set.
        device: Where the detectors run.
    """
    scalars = {name: read_scalars(run.work_dir) for name, run in runs.items()}
    distilled = {name for run in runs.values() for name in run.distilled}
    diagnostics = {name: read_diagnostics(run.work_dir) for name, run in runs.items()}
    sections = {
        'results': ('Results', results_section(scalars)),
        'curves': ('Curves', curves_section(scalars, distilled)),
        'diagnostics': ('Diagnostics of the distillation', diagnostics_section(diagnostics)),
        'pictures': ('Pictures', _pictures_section(runs, pictures, device) if pictures else ''),
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


def _pictures_section(
    runs: Mapping[str, FinishedRun], count: int, device: torch.device | str
) -> str:
    validation = Validation(next(iter(runs.values())).config, count)
    shown = list(validation)
    columns: dict[str, list[InstanceData]] = {'ground truth': [each.truth for each in shown]}
    for name, run in runs.items():
        detector = run.load(device).model
        columns[name] = [detect(detector, each) for each in shown]
    images = [mmcv.imread(each.path, channel_order='rgb') for each in shown]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'pictures.jpg'
        draw_gallery(images, columns, validation.metainfo, file)
        address = data_uri(file.read_bytes(), 'image/jpeg')
    objects = sum(len(each.truth) for each in shown)
    alternative = f'{len(shown)} validation images with {objects} annotated objects. ' + ' '.join(
        f'{name} has {sum(int((f.scores >= 0.3).sum()) for f in found)} detections there.'
        for name, found in columns.items()
        if name in runs
    )
    caption = 'The first validation images; detections with a score of 0.3 or more.'
    return BLOCKS.figure(caption, [BLOCKS.image(alternative, address)])
