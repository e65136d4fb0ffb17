"""The page as a whole."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import mmcv
import torch
from mmengine.structures import InstanceData

from mmdet_kdrank.diagnostics.journal import read_diagnostics
from mmdet_kdrank.report.diagnostics_section import diagnostics_section
from mmdet_kdrank.report.gallery import draw_gallery
from mmdet_kdrank.report.html import data_uri, figure, image, section
from mmdet_kdrank.report.image_scores import detect
from mmdet_kdrank.report.results_section import curves_section, results_section
from mmdet_kdrank.report.settings_section import provenance_section, settings_section
from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.scalars import MEAN_AP, curve, read_scalars
from mmdet_kdrank.runs.validation import Validation

_HEADING = re.compile(r'<h2 id="(.+?)">(.+?)</h2>')


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
    sections = [
        results_section(scalars),
        curves_section(scalars, {name for run in runs.values() for name in run.distilled}),
        diagnostics_section({n: read_diagnostics(run.work_dir) for n, run in runs.items()}),
        _pictures_section(runs, pictures, device) if pictures else '',
        settings_section(runs),
        provenance_section(runs),
    ]
    body = '\n'.join(filter(None, sections))
    template = Template(files(__package__).joinpath('page.html').read_text(encoding='utf-8'))
    content = template.substitute(
        title=escape(' and '.join(runs)),
        summary=escape(_summary(scalars)),
        links=''.join(
            f'<li><a href="#{name}">{text}</a></li>' for name, text in _HEADING.findall(body)
        ),
        sections=body,
    )
    path.write_text(content, encoding='utf-8')


def _summary(scalars: Mapping[str, list[dict[str, float]]]) -> str:
    said = []
    for name, records in scalars.items():
        steps, values = curve(records, MEAN_AP)
        found = f'mAP {100 * values[-1]:.1f} at iteration {steps[-1]:g}' if steps else 'no mAP yet'
        said.append(f'{name}: {found}.' if len(scalars) > 1 else f'{found[0].upper()}{found[1:]}.')
    return ' '.join(said)


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
    return section('pictures', 'Pictures', figure(caption, image(alternative, address)))
