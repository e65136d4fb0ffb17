#!/usr/bin/env python
"""Fills docs/reports/experiments.md and README.md, and draws a plot, from the plans' results."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.report.blocks import fill
from benchmarks.script import ROOT
from experiments.pages.evidence import draw
from mmdet_kdrank.compare.comparison_tables import (
    difference_cell,
    format_origin,
    mean_cell,
    pair_table,
    variant_table,
)
from mmdet_kdrank.files.markdown import markdown_table

RESULTS = ROOT / 'docs' / 'reports' / 'data' / 'experiments'
PAGES = (ROOT / 'docs' / 'reports' / 'experiments.md', ROOT / 'README.md')
CLAIMS = ROOT / 'docs' / 'reports' / 'data' / 'claims.json'
EVIDENCE_PLOT = ROOT / 'docs' / 'reports' / 'images' / 'evidence.png'
FINAL = {'faster-rcnn': 'Faster R-CNN', 'retinanet': 'RetinaNet'}


def read_results(folder: Path = RESULTS) -> dict[str, dict]:
    """Read the results of the plans.

    Args:
        folder: ``NAME/results.json`` of every plan.

    Returns:
        Contents of ``results.json`` by the plan's name.
    """
    return {
        path.parent.name: json.loads(path.read_text()) for path in folder.glob('*/results.json')
    }


def final_results(by_plan: Mapping[str, dict]) -> dict[str, dict]:
    """Choose the results that the README shows.

    Args:
        by_plan: Contents of ``results.json`` by the plan's name.

    Returns:
        Those of the plans in ``FINAL``, by the detector's name.
    """
    return {title: by_plan[name] for name, title in FINAL.items()}


def short_table(several: Mapping[str, dict]) -> str:
    """Lay out the mAP of several comparisons side by side: a row for each variant.

    It shows means with standard deviations over the seeds, and the differences to the baseline
    with the quoted 95 % intervals.

    Args:
        several: Contents of ``results.json`` by the title of their columns.
    """
    header = ['variant']
    for title, results in several.items():
        header += [f'{title}, mAP', f'− {results["baseline"]}']
    names = dict.fromkeys(name for results in several.values() for name in results['variants'])
    rows = [
        [name, *(cell for results in several.values() for cell in _short(name, results))]
        for name in names
    ]
    return markdown_table(header, rows, numbers=True)


def _short(name: str, results: dict) -> tuple[str, str]:
    if name not in results['variants']:
        return '', ''
    against = {
        pair['variant']: pair['measures'].get('mAP')
        for pair in results['pairs']
        if pair['reference'] == results['baseline']
    }
    mean = mean_cell(results['variants'][name]['summary'].get('mAP'), 100, 1)
    return mean, '' if name not in against else difference_cell(against[name], 100, 1, p=False)


def makers(by_plan: Mapping[str, dict]) -> dict[str, Callable[[], str]]:
    """Return what makes each block of the pages, by its name.

    Args:
        by_plan: Contents of ``results.json`` by the plan's name.

    Returns:
        ``NAME_variants``, ``NAME_pairs`` and ``NAME_origin`` of every plan with underscores for
        hyphens, and ``evidence``, the differences to KD of the plans in ``FINAL``.
    """
    blocks: dict[str, Callable[[], str]] = {
        'evidence': partial(short_table, final_results(by_plan))
    }
    for name, results in by_plan.items():
        slug = name.replace('-', '_')
        blocks[f'{slug}_variants'] = partial(variant_table, results)
        blocks[f'{slug}_pairs'] = partial(pair_table, results)
        blocks[f'{slug}_origin'] = partial(format_origin, results)
    return blocks


def write(by_plan: Mapping[str, dict], pages: tuple[Path, ...] = PAGES) -> None:
    """Fill the pages' blocks.

    Args:
        by_plan: Contents of ``results.json`` by the plan's name.
        pages: They are overwritten.
    """
    blocks = makers(by_plan)
    for page in pages:
        page.write_text(fill(page.read_text(encoding='utf-8'), blocks), encoding='utf-8')


if __name__ == '__main__':
    all_results = read_results()
    write(all_results)
    draw(json.loads(CLAIMS.read_text()), final_results(all_results), EVIDENCE_PLOT)
