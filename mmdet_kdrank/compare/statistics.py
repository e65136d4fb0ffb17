"""From finished runs to means, paired differences and their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from operator import itemgetter

import numpy as np

from mmdet_kdrank.compare.experiment import SAMPLES, TEACHER, Run
from mmdet_kdrank.compare.intervals import all_intervals, resample_images
from mmdet_kdrank.compare.run_samples import COMPARED, RunSamples
from mmdet_kdrank.errors import StateError

SUMMARISED = (
    *('mAP', 'AP50', 'AP75', 'AP_s', 'AP_m', 'AP_l', 'tau', 'top1', 'ECE'),
    *('seconds_per_iteration', 'peak_memory_mib', 'peak_cuda_memory_mib', 'iterations'),
)


class Statistics:
    """Statistics of the runs of a comparison that are done.

    Args:
        runs: All runs; those that are not done are left out.
        resamples: Number of test sets that the bootstrap draws.
        seed: Of its draws.

    Raises:
        RuntimeError: If no run is done, or runs were evaluated on different images.
    """

    def __init__(self, runs: Sequence[Run], resamples: int = 2000, seed: int = 0) -> None:
        self._runs = {(run.variant, run.seed): run for run in runs if run.is_done()}
        if not any(variant != TEACHER for variant, _ in self._runs):
            raise StateError(
                'No run of this comparison is done, so there is nothing to report: call '
                'tools/compare.py with the same arguments and without --report.'
            )
        self._results = {key: run.result() for key, run in self._runs.items()}
        self._seed = seed
        images = self._samples(next(iter(self._runs))).image_ids
        self._weights = resample_images(len(images), resamples, seed)
        self._images = images
        self._resampled = cache(self._resample)

    @property
    def bootstrap(self) -> dict[str, int]:
        """Size and seed of the bootstrap."""
        resamples, images = self._weights.shape
        return {'resamples': resamples, 'images': images, 'seed': self._seed}

    def seeds(self, *variants: str) -> list[int]:
        """Seeds of which the runs of all these variants are done."""
        return sorted(
            set.intersection(*({s for name, s in self._runs if name == v} for v in variants))
        )

    def results(self, variant: str) -> dict[int, dict]:
        """Return the results of the evaluations of a variant, by seed."""
        return {seed: self._results[variant, seed] for seed in self.seeds(variant)}

    def summary(self, variant: str) -> dict[str, dict]:
        """``mean``, ``sd`` (None for one seed) and ``n`` of each measure of a variant."""
        summary = {}
        for key in SUMMARISED:
            results = self.results(variant).values()
            values = [result[key] for result in results if result.get(key) is not None]
            if values:
                sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
                summary[key] = {'mean': float(np.mean(values)), 'sd': sd, 'n': len(values)}
        return summary

    def per_class(self, variant: str) -> dict[str, float | None]:
        """Mean AP of each class over the seeds of a variant; None where it has no object."""
        tables = [result['per_class'] for result in self.results(variant).values()]
        return {
            name: None if value is None else float(np.mean([table[name] for table in tables]))
            for name, value in tables[0].items()
        }

    def pair(self, variant: str, reference: str) -> dict:
        """Compare two variants seed by seed.

        Args:
            variant: Whose measures come first in the difference.
            reference: Whose measures are subtracted.

        Returns:
            ``variant``, ``reference``, ``seeds``, and in ``measures`` by name: ``difference`` (its
            mean), ``per_seed`` and, with two seeds or more, ``intervals``
            (:func:`~.intervals.all_intervals`).
        """
        seeds = self.seeds(variant, reference)
        measures = {}
        for key in COMPARED if seeds else ():
            values, reference_values = (
                [self._results[name, seed].get(key) for seed in seeds]
                for name in (variant, reference)
            )
            if None in values or None in reference_values:
                continue
            differences = np.subtract(values, reference_values)
            measures[key] = {
                'difference': float(differences.mean()),
                'per_seed': [float(value) for value in differences],
            }
            if len(seeds) < 2:
                continue
            resampled = np.stack(
                [
                    self._resampled((variant, seed))[key] - self._resampled((reference, seed))[key]
                    for seed in seeds
                ]
            )
            # A drawn test set can lack what a measure needs, where hardly any image has it.
            usable = np.isfinite(resampled).all(0)
            if usable.mean() > 0.99:
                measures[key]['intervals'] = all_intervals(differences, resampled[:, usable])
        return {'variant': variant, 'reference': reference, 'seeds': seeds, 'measures': measures}

    def _samples(self, key: tuple[str, int]) -> RunSamples:
        return RunSamples.load(self._runs[key].training.folder / SAMPLES)

    def _resample(self, key: tuple[str, int]) -> Mapping[str, np.ndarray]:
        samples = self._samples(key)
        if not np.array_equal(samples.image_ids, self._images):
            raise StateError(
                f'{self._runs[key].training.name} was evaluated on other images than the first '
                'run, so they cannot be compared image by image. Delete its folder, so that it is '
                'done again, or give both the same test_evaluator.ann_file.'
            )
        return samples(self._weights)


def adjust_for_number(pairs: Sequence[dict]) -> None:
    """Add Holm's adjusted p-value, ``p_holm``, to the quoted interval of each measure and pair.

    It is the p-value that remains when each pair of the table counts as a test of its own (Holm,
    "A simple sequentially rejective multiple test procedure", 1979).

    Args:
        pairs: Results of :meth:`Statistics.pair`; changed in place.
    """
    for key in COMPARED:
        quoted = [
            pair['measures'][key]['intervals']['quoted']
            for pair in pairs
            if 'quoted' in pair['measures'].get(key, {}).get('intervals', {})
        ]
        least = 0.0
        for rank, interval in enumerate(sorted(quoted, key=itemgetter('p'))):
            least = max(least, min(1.0, (len(quoted) - rank) * interval['p']))
            interval['p_holm'] = least
