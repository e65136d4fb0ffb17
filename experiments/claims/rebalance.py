"""Claim: alongside a distillation loss, the ranking loss gives unlikely classes their share."""

from __future__ import annotations

import torch
from torch import Tensor

from experiments.claims.claim import Check, Claim, number
from experiments.claims.descent import descend
from experiments.claims.gradient import gradient_share
from experiments.claims.logits import LogitSet
from experiments.claims.terms import base_name, kd, rank, together
from mmdet_kdrank.ops import kendall_tau

WEIGHTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
RATE, STEPS = 1.0, 200


def tau_of_unlikely(student: Tensor, logits: LogitSet) -> float:
    """Mean hard Kendall coefficient among the unlikely channels.

    Args:
        student: Shape (N, C).
        logits: The teacher.
    """
    mask = logits.unlikely()
    mask = mask & (mask.sum(1, keepdim=True) > 1)
    taus = kendall_tau(student, logits.teacher, mask, surrogate='sign')
    return float(taus[mask.any(1)].mean())


def towards_teacher(gradient: Tensor, logits: LogitSet) -> float:
    """How far descent on the unlikely channels points to the teacher's logits.

    Args:
        gradient: Shape (N, C).
        logits: The rows it belongs to.

    Returns:
        Mean cosine between ``-gradient`` and ``t - s`` on these channels, each less its mean.
    """
    mask = logits.unlikely()
    mask = mask & (mask.sum(1, keepdim=True) > 2)
    down, way = _centred(-gradient, mask), _centred(logits.teacher - logits.student, mask)
    cosine = torch.nn.functional.cosine_similarity(down, way, eps=1e-30)
    return float(cosine[mask.any(1)].mean())


def _centred(values: Tensor, mask: Tensor) -> Tensor:
    mean = (values * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp_min(1)
    return (values - mean) * mask


def claim(sets: list[LogitSet]) -> Claim:
    """Measure the part of unlikely classes with and without rank, and what they learn from it.

    Args:
        sets: The logits.
    """
    data, checks = {}, []
    for logits in sets:
        alone = kd(logits)
        before = gradient_share(alone.gradient(logits), logits)
        shares = {w: gradient_share(together(logits, w).gradient(logits), logits) for w in WEIGHTS}
        start = tau_of_unlikely(logits.student, logits)
        learnt = {
            term.name: tau_of_unlikely(
                descend(term, logits, logits.student, RATE, STEPS).end, logits
            )
            for term in (alone, rank(), together(logits))
        }
        near = logits.near()
        aims = {
            term.name: [number(towards_teacher(term.gradient(s), s)) for s in (logits, near)]
            for term in (kd(logits), rank(), rank(form='cosine'), together(logits))
        }
        name = f'{base_name(logits)} + rank'
        data[logits.name] = {
            'share alone': number(before),
            'share by weight': [[w, number(share)] for w, share in shares.items()],
            'tau of unlikely classes': {
                'start': number(start),
                **{key: number(value) for key, value in learnt.items()},
            },
            'cosine with t - s': aims,
        }
        alone_rank = gradient_share(rank().gradient(logits), logits)
        checks += [
            Check(
                f'{logits.name}: rank, gradient per unlikely channel, 1 = fair',
                number(alone_rank),
                '>=',
                0.5,
            ),
            Check(
                f'{logits.name}: {name} at weight 1, gradient per unlikely channel, '
                f'over that of {alone.name}',
                number(shares[1.0] / before),
                '>=',
                2,
            ),
            Check(
                f'{logits.name}: tau among unlikely classes after {STEPS} steps of descent, '
                f'{name} less {alone.name}',
                number(learnt[name] - learnt[alone.name]),
                '>=',
                0.02,
            ),
        ]
    return Claim(
        'rebalance',
        'Added to a logit distillation loss, the ranking loss moves the gradient towards the '
        'unlikely classes.',
        'abstract of arXiv 2409.17823',
        checks,
        'It moves the gradient, and within these steps what is learnt. Whether unlikely classes '
        "are worth learning is for mAP to say. Near the teacher little of the plain form's "
        'gradient points to it: most of it pushes classes apart that are in order already; the '
        'cosine form aims better.',
        data,
    )
