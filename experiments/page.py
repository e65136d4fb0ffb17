#!/usr/bin/env python
"""Writes the tables of docs/experiments.md and README.md anew, from the results of the plans."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report.blocks import fill
from benchmarks.script import ROOT
from mmdet_kdrank.compare.table import format_origin, pair_table, short_table, variant_table

RESULTS = ROOT / 'docs' / 'data' / 'experiments'
PAGES = (ROOT / 'docs' / 'experiments.md', ROOT / 'README.md')
FINAL = {'faster-rcnn': 'Faster R-CNN', 'retinanet': 'RetinaNet'}


def makers(folder: Path = RESULTS) -> dict[str, Callable[[], str]]:
    """What makes each block of the pages, by its name.

    Args:
        folder: ``NAME/results.json`` of every plan.

    Returns:
        ``NAME_variants``, ``NAME_pairs`` and ``NAME_origin`` of every plan with underscores for
        hyphens, and ``evidence``, the differences to KD of the plans in ``FINAL``.
    """
    found = {
        path.parent.name: json.loads(path.read_text()) for path in folder.glob('*/results.json')
    }
    blocks: dict[str, Callable[[], str]] = {'evidence': partial(evidence_table, found)}
    for name, results in found.items():
        slug = name.replace('-', '_')
        blocks[f'{slug}_variants'] = partial(variant_table, results)
        blocks[f'{slug}_pairs'] = partial(pair_table, results)
        blocks[f'{slug}_origin'] = partial(format_origin, results)
    return blocks


def evidence_table(found: Mapping[str, dict]) -> str:
    """Puts the mAP of the final plans side by side.

    Args:
        found: Content of ``results.json`` by the plan's name.

    Returns:
        A Markdown table, a row a variant.
    """
    return short_table({title: found[name] for name, title in FINAL.items() if name in found})


def write(folder: Path = RESULTS, pages: tuple[Path, ...] = PAGES) -> None:
    """Fills the pages' blocks.

    Args:
        folder: ``NAME/results.json`` of every plan.
        pages: They are overwritten.
    """
    made = makers(folder)
    for page in pages:
        page.write_text(fill(page.read_text(encoding='utf-8'), made), encoding='utf-8')


if __name__ == '__main__':
    write()
