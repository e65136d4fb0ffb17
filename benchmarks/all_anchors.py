#!/usr/bin/env python
"""Does RetinaNet that distils every anchor of 800 x 1333 images fit a GPU of 24 GB?"""

import sys
import tempfile
from functools import partial
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness import peak_extra_bytes
from benchmarks.harness.rows import Row
from benchmarks.script import Script, Step, main
from benchmarks.training.settings import Setting
from benchmarks.training.variants import Job, make_detector, make_step, prepare

CARD_BYTES = 24e9
# MMDetection pads the width to 1344: 201,600 anchors per image.
_COCO = Setting('retinanet', 800, 1333, batch=2, coco=True, selector='AllSamples')
_QUICK = Setting('retinanet', 64, 64, batch=1, coco=False, selector='AllSamples')
_VARIANTS = ('student', 'kd', 'kd_rank')


def weights_bytes(job: Job, variant: str) -> int:
    """Bytes of the parameters and buffers of the detector and of its whole teacher."""
    detector = make_detector(job, variant)
    modules = [detector]
    if variant != 'student':
        modules.append(detector.teacher_session.model)
    tensors = chain.from_iterable(chain(m.parameters(), m.buffers()) for m in modules)
    return sum(tensor.nbytes for tensor in tensors)


def measure(setting: Setting, device: str) -> list[Row]:
    """Measure the memory of one training step of each variant.

    A CPU holds the same tensors as a GPU, in float32. So a step there needs as much memory as on a
    GPU, apart from the workspaces of cuDNN and the memory of CUDA itself.

    Args:
        setting: The trained setting.
        device: Device of the training.

    Returns:
        A row for each variant: bytes of the weights; peak bytes of the step beyond them, with
        gradients and momentum; and the sum as a share of a GPU of 24 GB.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        job = prepare(setting, Path(folder))
        for name in _VARIANTS:
            weights = weights_bytes(job, name)
            peak = peak_extra_bytes(partial(make_step, job, name, device), None, device)
            rows.append(
                {
                    **setting._asdict(),
                    'name': name,
                    'weights_bytes': weights,
                    'peak_extra_bytes': peak,
                    'of_card': (weights + peak) / CARD_BYTES,
                }
            )
    return rows


def _steps(device: str, quick: bool) -> list[Step]:
    return [partial(measure, _QUICK if quick else _COCO, device)]


SCRIPT = Script('all_anchors', __doc__ or '', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
