#!/usr/bin/env python
"""What do the losses along the candidates cost on all anchors of RetinaNet?"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.harness import side_by_side
from benchmarks.harness.rows import Row
from benchmarks.script import Script, Step, main
from mmdet_kdrank.distillers import DistillSamples, GroundTruth, TopkSamples
from mmdet_kdrank.losses import CandidateRankLoss, KendallRankLoss, RankMimicLoss

# (images, anchors an image, objects an image): 800 x 1333 pixels, and as many objects as COCO has.
_SIZES = ((1, 200_700, 7), (2, 200_700, 7))
_QUICK = ((2, 600, 3),)
_CLASSES = 80
# Anchors over an object that a head scores high, of which the student's assignment takes a part.
_NEAR, _POSITIVE = 60, 20


def make_samples(images: int, anchors: int, objects: int, device: str) -> DistillSamples:
    """Logits of a head that finds nothing but around some objects of random classes."""
    rng = torch.Generator().manual_seed(0)
    count = images * anchors
    teacher = torch.randn(count, _CLASSES, generator=rng) * 0.5 - 7
    labels = torch.full((count,), _CLASSES)
    boxes = torch.zeros(count, 4)
    classes = torch.randint(_CLASSES, (images * objects,), generator=rng)
    corner = torch.rand(images * objects, 2, generator=rng) * 800
    truth = torch.cat([corner, corner + 100], 1)
    # As anchors are laid out: of each level all images, here one level.
    image = torch.arange(images).repeat_interleave(anchors)
    for number, label in enumerate(classes.tolist()):
        start = number // objects * anchors
        near = start + torch.randperm(anchors, generator=rng)[:_NEAR]
        teacher[near, label] += 4 + 4 * torch.rand(_NEAR, generator=rng)
        labels[near[:_POSITIVE]] = label
        boxes[near] = truth[number] + 10 * torch.rand(_NEAR, 4, generator=rng)
    student = teacher + torch.randn(count, _CLASSES, generator=rng)
    return DistillSamples(
        student=student.to(device).requires_grad_(),
        teacher=teacher.to(device),
        image=image.to(device),
        activation='sigmoid',
        background=False,
        num_classes=_CLASSES,
        labels=labels.to(device),
        boxes=boxes.to(device),
        ground_truth=GroundTruth(
            boxes=truth.to(device),
            labels=classes.to(device),
            image=torch.arange(images).repeat_interleave(objects).to(device),
        ),
    )


def measure(images: int, anchors: int, objects: int, device: str) -> list[Row]:
    """Time of forward and backward of each loss, on one batch.

    Args:
        images: In the batch.
        anchors: An image.
        objects: An image.
        device: Where.

    Returns:
        A row for each loss. ``loss_rows`` is the number of rows that it compared. Each backward
        fills the gradient of all logits, which ``gradient alone`` does too, from one of them.
    """
    samples = make_samples(images, anchors, objects, device)
    losses = {
        'CandidateRankLoss, class rows': CandidateRankLoss(),
        'CandidateRankLoss, class rows of the batch': CandidateRankLoss(scope='batch'),
        'CandidateRankLoss, object rows': CandidateRankLoss(rows='object'),
        'RankMimicLoss, object rows': RankMimicLoss(),
    }

    def top_anchors() -> torch.Tensor:
        chosen = TopkSamples()(samples)
        return KendallRankLoss()(chosen.student, chosen.teacher)

    forwards: dict[str, Callable[[], torch.Tensor]] = {
        'gradient alone': lambda: samples.student[0, 0],
        'KendallRankLoss, 1000 best anchors': top_anchors,
        **{name: partial(loss, samples) for name, loss in losses.items()},
    }

    def step(name: str) -> object:
        return torch.autograd.grad(forwards[name](), samples.student)

    timings = side_by_side({name: partial(step, name) for name in forwards}, 7, 60.0, device)
    return [
        {
            'images': images,
            'anchors': anchors,
            'classes': _CLASSES,
            'loss': name,
            'loss_rows': len(losses[name].choose(samples)) if name in losses else '',
            **timing._asdict(),
        }
        for name, timing in timings.items()
    ]


def _steps(device: str, quick: bool) -> list[Step]:
    return [partial(measure, *size, device) for size in (_QUICK if quick else _SIZES)]


SCRIPT = Script('candidate_ranking', __doc__ or '', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
