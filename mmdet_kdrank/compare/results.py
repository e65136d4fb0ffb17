"""From finished runs to files: JSON, Markdown and plots."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmdet_kdrank.compare.comparison_tables import format_tables
from mmdet_kdrank.compare.experiment import TEACHER, Run
from mmdet_kdrank.compare.plan import Plan
from mmdet_kdrank.compare.plots import plot_differences, plot_seeds, plot_validation
from mmdet_kdrank.compare.run_settings import portable_json
from mmdet_kdrank.compare.statistics import Statistics, adjust_for_number
from mmdet_kdrank.runs.scalars import read_scalars


def results_of(plan: Plan, runs: Sequence[Run]) -> dict:
    """Put together all results of a comparison.

    Args:
        plan: What is compared.
        runs: All of it, done or not.

    Returns:
        The content of ``results.json``.

    Raises:
        RuntimeError: If no run is done.
    """
    statistics = Statistics(runs)
    variants = {}
    for name in plan.variants:
        results = statistics.results(name)
        variants[name] = {
            'summary': statistics.summary(name),
            'per_class': statistics.per_class(name) if results else {},
            'runs': results,
        }
    teacher = statistics.results(TEACHER)
    pairs = [statistics.pair(*pair) for pair in plan.comparisons]
    adjust_for_number(pairs)
    settings = {name: config.to_dict() for name, config in plan.variants.items()}
    students = [run for variant in variants.values() for run in variant['runs'].values()]
    return {
        'name': plan.name,
        'baseline': plan.baseline,
        'seeds': list(plan.seeds),
        'runs_done': len(students),
        'runs_planned': len(plan.seeds) * len(plan.variants),
        'teacher': teacher and {'summary': statistics.summary(TEACHER), 'runs': teacher},
        'no_agreement': _no_agreement(variants),
        'variants': variants,
        'pairs': pairs,
        'bootstrap': statistics.bootstrap,
        'settings': json.loads(portable_json(settings, plan.folder)),
        'pictures': plan.images and plan.images.manifest(),
        **_origin([*students, *teacher.values()]),
    }


def write_report(plan: Plan, runs: Sequence[Run], out: Path | None = None) -> list[Path]:
    """Write ``results.json``, ``table.md`` and the plots into the comparison's folder.

    Args:
        plan: What is compared.
        runs: All of it, done or not.
        out: Folder that gets copies.

    Returns:
        The files written, those of ``out`` where it is given.

    Raises:
        RuntimeError: If no run is done.
    """
    results = results_of(plan, runs)
    files = {
        name: plan.folder / name
        for name in ('results.json', 'table.md', 'differences.png', 'seeds.png', 'validation.png')
    }
    for path in files.values():
        path.unlink(missing_ok=True)
    files['results.json'].write_text(json.dumps(results, indent=1) + '\n')
    files['table.md'].write_text(format_tables(results), encoding='utf-8')
    plot_differences(results['pairs'], files['differences.png'])
    by_seed = {
        name: {seed: run['mAP'] for seed, run in variant['runs'].items()}
        for name, variant in results['variants'].items()
    }
    plot_seeds(by_seed, files['seeds.png'])
    scalars: dict[str, list] = {name: [] for name in plan.variants}
    for run in runs:
        if run.variant != TEACHER and run.is_done():
            scalars[run.variant].append(read_scalars(run.training.folder))
    plot_validation(scalars, files['validation.png'])
    written = [path for path in files.values() if path.is_file()]
    if out is None:
        return written
    out.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(path, out / path.name)) for path in written]


def _origin(results: Sequence[dict]) -> dict:
    """Join the origins of trainings and evaluations, as each result states its own."""
    commits = ', '.join(result['commit']['training'] or 'unknown' for result in results)
    dates = sorted(result['date'] for result in results)
    return {
        'started_again': sum(result['starts'] > 1 for result in results),
        'commits': sorted(set(commits.split(', '))),
        'dates': [dates[0], dates[-1]],
        'hardware': sorted({result['hardware'] for result in results}),
        'versions': {
            name: sorted({result['versions'][name] for result in results})
            for name in results[0]['versions']
        },
    }


def _no_agreement(variants: Mapping[str, dict]) -> str:
    """Say why variants have no tau; empty where all have it."""
    lacking: dict[str, list[str]] = {}
    for name, variant in variants.items():
        for reason in {run['reason'] for run in variant['runs'].values() if 'reason' in run}:
            lacking.setdefault(reason, []).append(name)
    if lacking:
        return ' '.join(f'({", ".join(names)}) {reason}' for reason, names in lacking.items())
    if any('tau' in run for variant in variants.values() for run in variant['runs'].values()):
        return ''
    return 'the variants name no teacher, or not the same one.'
