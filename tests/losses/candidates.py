"""Samples, and losses along the candidates written out in loops from their definition."""

from __future__ import annotations

import math

import torch

from mmdet_kdrank.distillers import DistillSamples, GroundTruth
from tests.ops.oracle import loop_tau

HEADS = [('sigmoid', False), ('softmax', True), ('softmax', False), ('sigmoid', True)]
SIZE = 100


def make_samples(activation='sigmoid', background=False, rows=40, seed=0, **changes):
    """Two images of random boxes, of which every other one jitters an object of its class."""
    rng = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=rng, dtype=torch.float64)

    classes, objects = 4, 7
    corner = SIZE / 2 * uniform(objects, 2)
    truth = GroundTruth(
        boxes=torch.cat([corner, corner + 10 + 30 * uniform(objects, 2)], 1),
        labels=torch.tensor([0, 1, 1, -1, 2, 1, 1]),
        image=torch.tensor([0, 0, 0, 0, 1, 1, 1]),
    )
    image = (uniform(rows) < 0.4).long()
    labels = torch.full((rows,), classes)
    corner = SIZE / 2 * uniform(rows, 2)
    boxes = torch.cat([corner, corner + 10 + 30 * uniform(rows, 2)], 1)
    for row in range(0, rows, 2):
        mine = [n for n in range(objects) if truth.image[n] == image[row] and truth.labels[n] >= 0]
        chosen = mine[int(uniform(1) * len(mine))]
        labels[row] = truth.labels[chosen]
        boxes[row] = truth.boxes[chosen] + 8 * uniform(4)
    labels[1] = -1
    channels = classes + background
    student, teacher = (
        4 * torch.randn(rows, channels, generator=rng, dtype=torch.float64) for _ in range(2)
    )
    fields = dict(
        student=student.requires_grad_(),
        teacher=teacher,
        image=image,
        activation=activation,
        background=background,
        num_classes=classes,
        labels=labels,
        boxes=boxes,
        ground_truth=truth,
    )
    return DistillSamples(**{**fields, **changes})


def score(samples, logits, n, c):
    """The probability of class c for sample n."""
    row = logits[n]
    return row[c].sigmoid() if samples.activation == 'sigmoid' else row.softmax(0)[c]


def value(samples, logits, n, c):
    """Its log-odds."""
    p = score(samples, logits, n, c)
    return (p / (1 - p)).log()


def naive_class_rows(samples, most, score_thr, per_image):
    """(class, samples), best of the teacher first, for every class it sees in an image."""
    images = samples.image.unique().tolist() if per_image else [None]
    chosen_rows = []
    for image in images:
        group = [n for n in range(len(samples)) if image is None or samples.image[n] == image]
        for c in range(samples.num_classes):
            scores = {n: float(score(samples, samples.teacher, n, c)) for n in group}
            best = sorted(group, key=lambda n, scores=scores: -scores[n])[:most]
            if len(best) >= 2 and scores[best[0]] >= score_thr:
                chosen_rows.append((c, best))
    return chosen_rows


def overlap(a, b):
    """Intersection over union of two boxes."""
    sides = [max(0.0, float(min(a[2 + d], b[2 + d]) - max(a[d], b[d]))) for d in (0, 1)]
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (a, b)]
    both = sides[0] * sides[1]
    return both / (sum(areas) - both)


def naive_object_rows(samples, most):
    """(class, samples), best of the teacher first, for every object with two positives."""
    truth = samples.ground_truth
    members = {g: [] for g in range(len(truth))}
    for n in range(len(samples)):
        c = int(samples.labels[n])
        if not 0 <= c < samples.num_classes:
            continue
        overlaps = {
            g: overlap(samples.boxes[n], truth.boxes[g])
            for g in members
            if truth.image[g] == samples.image[n] and truth.labels[g] == c
        }
        best = max(overlaps, key=overlaps.get, default=None)
        if best is not None and overlaps[best] > 0:
            members[best].append(n)
    chosen_rows = []
    for g, mine in members.items():
        c = int(truth.labels[g])
        mine.sort(key=lambda n, c=c: -float(score(samples, samples.teacher, n, c)))
        if len(mine) >= 2:
            chosen_rows.append((c, mine[:most]))
    return chosen_rows


def naive_loss(samples, rows, row_loss):
    """The mean over the rows, each alone: ragged rows need no mask here."""
    total = samples.student.sum() * 0
    for c, members in rows:
        sides = [
            torch.stack([value(samples, logits, n, c) for n in members])
            for logits in (samples.student, samples.teacher)
        ]
        total = total + row_loss(*sides)
    return total / max(len(rows), 1)


def naive_rank(**options):
    """1 - tau of one row."""
    return lambda s, t: 1 - loop_tau(s[None], t[None], **options)[0]


def naive_mimic(temperature=1.0, scores=True):
    """T^2 KL(q || p) of one row."""

    def divergence(s, t):
        p, q = ((x.sigmoid() if scores else x) / temperature for x in (s, t))
        p, q = (x.exp() / x.exp().sum() for x in (p, q))
        return temperature**2 * sum(
            b * math.log(b) - b * a.log() for a, b in zip(p, q, strict=True)
        )

    return divergence
