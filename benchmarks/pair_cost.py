#!/usr/bin/env python
"""How much arithmetic does the teacher add to the training step of the COCO pairs?"""

import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from mmengine.optim import OptimWrapper
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.harness.rows import Row
from benchmarks.script import Script, Step, main
from benchmarks.training.batches import make_batch
from benchmarks.training.settings import Setting
from benchmarks.training.variants import Job, make_detector, prepare

PAIRS = (
    ('faster_rcnn', 'r101-r18'),
    ('faster_rcnn', 'r101-r50'),
    ('faster_rcnn', 'r50-mobilenetv2'),
    ('retinanet', 'r101-r50'),
    ('retinanet', 'r101-r18'),
)


def _floating_operations(job: Job, variant: str, device: str) -> int:
    detector = make_detector(job, variant, device)
    optimizer = OptimWrapper(torch.optim.SGD(detector.parameters(), lr=0.0))
    # Loads the teacher, and cuts what class logits do not need.
    detector.train_step(make_batch(job.setting._replace(height=64, width=64)), optimizer)
    batch = make_batch(job.setting)
    with FlopCounterMode(display=False) as counter:
        detector.train_step(batch, optimizer)
    return counter.get_total_flops()


def measure(family: str, pair: str, size: tuple[int, int], device: str) -> list[Row]:
    """Count the floating-point operations of one step and the parameters of both detectors.

    Args:
        family: Folder of the pair's configs.
        pair: Backbones of teacher and student.
        size: Height and width of the image, in pixels.
        device: Where it runs; the counts do not depend on it.

    Returns:
        One row: operations of matrix products and convolutions, forward and backward, of the
        student alone and with teacher, KD and rank; their ratio; parameters.
    """
    setting = Setting(family, *size, batch=1, coco=True, pair=pair)
    with tempfile.TemporaryDirectory() as folder:
        job = prepare(setting, Path(folder))
        alone = _floating_operations(job, 'student', device)
        distilled = _floating_operations(job, 'kd_rank', device)
        teacher = torch.load(job.config.teacher.checkpoint)['state_dict']
    student = make_detector(job, 'student')
    return [
        {
            'family': family,
            'pair': pair,
            'height': size[0],
            'width': size[1],
            'student_flop': alone,
            'kd_rank_flop': distilled,
            'ratio': distilled / alone,
            'student_parameters': sum(p.numel() for p in student.parameters()),
            'trained_parameters': sum(p.numel() for p in student.parameters() if p.requires_grad),
            'teacher_bytes': sum(tensor.nbytes for tensor in teacher.values()),
        }
    ]


def _steps(device: str, quick: bool) -> list[Step]:
    # Half of COCO's usual height and width: a quarter of the work, in the same proportions.
    size = (64, 64) if quick else (400, 667)
    return [partial(measure, *pair, size, device) for pair in (PAIRS[-1:] if quick else PAIRS)]


SCRIPT = Script('pair_cost', __doc__ or '', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
