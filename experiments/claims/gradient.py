"""Claim: KL gives the unlikely classes almost no gradient."""

from __future__ import annotations

from torch import Tensor

from experiments.claims.claim import Check, Claim, number
from experiments.claims.logits import LogitSet
from experiments.claims.terms import all_terms, base_name

DECADES = 8
"""Teacher probabilities below 10^-8 share the last bin."""

_LIKELY = 0.1


def gradient_share(gradient: Tensor, logits: LogitSet) -> float:
    """Return the share of the gradient that unlikely channels get, over their share of channels.

    Args:
        gradient: Shape (N, C).
        logits: The rows it belongs to.

    Returns:
        The share of the sum of ``|gradient|`` over the share of the number of channels. 1 is a
        fair share, 0 is nothing.
    """
    unlikely = logits.unlikely()
    part = (gradient.abs() * unlikely).sum() / gradient.abs().sum()
    return float(part / unlikely.double().mean())


def gradient_slope(gradient: Tensor, logits: LogitSet) -> float:
    """Return the slope of ``log |gradient|`` against ``log p``, by least squares.

    Args:
        gradient: Shape (N, C).
        logits: The rows it belongs to; channels of probability above 0.1 are left out.

    Returns:
        1 if the gradient is proportional to the teacher's probability, 0 if it does not depend on
        it.
    """
    probability = logits.probability()
    # Exact zeros have no logarithm.
    kept = (probability < _LIKELY) & (gradient.abs() > 1e-30)
    x, y = probability[kept].log(), gradient[kept].abs().log()
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / x.square().sum())


def by_decade(gradient: Tensor, logits: LogitSet) -> list[float | None]:
    """Return the median ``|gradient|`` of the channels by decade of the teacher's probability.

    Args:
        gradient: Shape (N, C).
        logits: The rows it belongs to.

    Returns:
        From [0.1, 1] down to below ``10^-(DECADES - 1)``; None for a decade without channels.
    """
    decade = (-logits.probability().log10()).floor().clamp(0, DECADES - 1)
    parts = (gradient.abs()[decade == exponent] for exponent in range(DECADES))
    return [number(part.median()) if len(part) else None for part in parts]


def claim(sets: list[LogitSet]) -> Claim:
    """Measure which classes get the gradient of each loss.

    Args:
        sets: The logits; each is also measured with a student near the teacher.
    """
    data, checks = {}, []
    for logits in [near_or_far for s in sets for near_or_far in (s, s.near())]:
        rows = {}
        for term in all_terms(logits):
            gradient = term.gradient(logits)
            rows[term.name] = {
                'share': number(gradient_share(gradient, logits)),
                'slope': number(gradient_slope(gradient, logits)),
                'decades': by_decade(gradient, logits),
            }
        data[logits.name] = {'unlikely': number(logits.unlikely().double().mean()), 'terms': rows}
        kd = f'{base_name(logits)}, T = 1'
        checks.append(
            Check(
                f'{logits.name}: {kd}, gradient per unlikely channel, 1 = fair',
                rows[kd]['share'],
                '<=',
                0.1,
            )
        )
        if logits.name.endswith('near'):
            for temperature in (1, 2, 4):
                name = f'{base_name(logits)}, T = {temperature}'
                checks.append(
                    Check(
                        f'{logits.name}: {name}, slope less 1/T',
                        number(abs(rows[name]['slope'] - 1 / temperature)),
                        '<=',
                        0.1,
                    )
                )
    return Claim(
        'gradient',
        'Under KL the gradient on a class falls with the probability that the teacher gives it, '
        'so that unlikely classes get almost none of it.',
        'abstract of arXiv 2409.17823',
        checks,
        'It is so where the student is near the teacher, and at T = 1. The gradient is the '
        'difference of two probabilities: a class that the teacher rules out and the student '
        "believes in gets the student's, and a trained student errs often enough for that to "
        'count. A temperature flattens the fall to p^(1/T), and MSE gives unlikely classes their '
        'full part, so that a ranking loss is not the only way to reach them.',
        data,
    )
