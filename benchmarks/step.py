#!/usr/bin/env python
"""What does distillation add to a training step, in time and in memory?"""

import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness import peak_extra_bytes, side_by_side
from benchmarks.harness.rows import Row
from benchmarks.script import Script, Step, main
from benchmarks.training.settings import FAMILIES, Setting
from benchmarks.training.terms import make_terms
from benchmarks.training.variants import make_step, prepare, variants_of

# As the shapes configs train.
_EMBEDDED = [Setting(family, 128, 128, batch=4, coco=False) for family in FAMILIES]
_COCO = [Setting(family, 800, 1344, batch=2, coco=True) for family in FAMILIES]
_QUICK = [Setting(family, 64, 64, batch=1, coco=False) for family in FAMILIES]
_ROUNDS = 200
# A GPU is seldom at hand for long, and its times vary less.
_BUDGET_S = {'cpu': 40.0, 'cuda': 12.0}
_BASES = ('student', 'teacher', 'kd')


def measure(setting: Setting, device: str, quick: bool) -> list[Row]:
    """Measure time and peak memory of all variants of a setting, and times of the parts alone.

    Args:
        setting: The trained setting.
        device: Device of the training.
        quick: Whether to run one round, and to measure the memory of KD and KD + rank alone.

    Returns:
        A row for each variant (``kind='step'``) and part (``kind='part'``). It holds the seconds,
        and their ratios to the student's, the teacher's and the KD step. It also holds the peak
        bytes of a step, beyond the detector, its teacher and its batch.
    """
    names = variants_of(setting.family)
    weighed = ('kd', 'kd_rank') if quick else names
    with tempfile.TemporaryDirectory() as folder:
        job = prepare(setting, Path(folder))
        calls = {('step', name): make_step(job, name, device) for name in names}
        parts, count = make_terms(job, device)
        calls |= {('part', name): call for name, call in parts.items()}
        # All in one, so that a share of a step is taken under the load that the step met.
        timings = side_by_side(calls, 1 if quick else _ROUNDS, _BUDGET_S[device], device)
        memory = {
            name: peak_extra_bytes(partial(make_step, job, name, device), None, device)
            for name in weighed
        }
    shape = {key: getattr(setting, key) for key in ('family', 'height', 'width', 'batch')}
    bases = {f'of_{name}': timings['step', name].median_s for name in _BASES}
    return [
        {
            **shape,
            'rows': count,
            'kind': kind,
            'name': name,
            **timing._asdict(),
            **{column: timing.median_s / base for column, base in bases.items()},
            'peak_extra_bytes': memory.get(name) if kind == 'step' else None,
        }
        for (kind, name), timing in timings.items()
    ]


def _steps(device: str, quick: bool) -> list[Step]:
    settings = _QUICK if quick else _EMBEDDED if device == 'cpu' else _COCO
    return [partial(measure, setting, device, quick) for setting in settings]


SCRIPT = Script('step', 'What does distillation add to a training step?', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
