"""Claim: the gradient of the ranking loss hardly depends on the scale of the logits."""

from __future__ import annotations

from dataclasses import replace

import torch

from experiments.claims.claim import Check, Claim, number
from experiments.claims.logits import LogitSet
from experiments.claims.terms import Term, base_name, kd, rank

FACTORS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_COMPARED = (0.25, 4.0)


def response(term: Term, logits: LogitSet, side: str) -> list[dict[str, float]]:
    """What scaling one side's logits does to loss and gradient.

    Args:
        term: The loss.
        logits: The rows.
        side: ``'student'`` or ``'teacher'``.

    Returns:
        For each of :data:`FACTORS`: ``loss`` (mean), ``length`` (mean norm of the gradient over
        that at factor 1), ``cosine`` (mean, with the gradient at factor 1).
    """
    plain = term.gradient(logits)
    rows = []
    for factor in FACTORS:
        scaled = replace(logits, **{side: factor * getattr(logits, side)})
        gradient = term.gradient(scaled)
        cosine = torch.nn.functional.cosine_similarity(gradient, plain, eps=1e-30)
        rows.append(
            {
                'factor': factor,
                'loss': number(term.values(scaled.student, scaled).mean()),
                'length': number(gradient.norm(dim=1).mean() / plain.norm(dim=1).mean()),
                'cosine': number(cosine.mean()),
            }
        )
    return rows


def at_ends(responses: list[dict[str, float]]) -> tuple[float, float]:
    """The lower cosine at x 1/4 and x 4, and the larger length there over the smaller.

    Args:
        responses: What :func:`response` gives.
    """
    ends = [row for row in responses if row['factor'] in _COMPARED]
    lengths = [row['length'] for row in ends]
    return min(row['cosine'] for row in ends), number(max(lengths) / min(lengths))


def limits(data: dict) -> str:
    """Where the claim ends, and how the logit distillation compares.

    Args:
        data: The claim's.
    """
    turned, steadier, cases = 0, [], 0
    for name, by_side in data.items():
        for side, responses in by_side.items():
            base = next(iter(responses))
            (cosine, length), (rank_cosine, rank_length) = map(
                at_ends, (responses[base], responses['rank'])
            )
            cases += 1
            turned += cosine < rank_cosine
            if length < rank_length:
                steadier.append(f'{name}, {side}')
    where = f' ({"; ".join(steadier)})' if steadier else ''
    return (
        "Its direction is. Its length is not on the student's side: a loss that does not change "
        'with the scale has a gradient that falls as 1 / scale, standardised or not. Compared with '
        f'rank, {base.split(",")[0]} turns further in {turned} of {cases} cases, and keeps its '
        f'length better in {len(steadier)}{where}. If "channel scaling" means the size of a single '
        'logit instead, the slopes of the first claim are the answer.'
    )


def claim(sets: list[LogitSet]) -> Claim:
    """Measure how losses and gradients answer to scaled logits.

    Args:
        sets: The logits.
    """
    data, checks = {}, []
    for logits in sets:
        terms = {
            f'{base_name(logits)}, T = 1': kd(logits),
            'rank': rank(),
            'rank, standardised': rank(standardize=True),
            'rank, k = 10': rank(steepness=10.0),
        }
        by_side = {
            side: {name: response(term, logits, side) for name, term in terms.items()}
            for side in ('student', 'teacher')
        }
        data[logits.name] = by_side
        for name, bound in (('rank', 0.7), ('rank, standardised', 0.99)):
            for side, responses in by_side.items():
                cosine, length = at_ends(responses[name])
                checks.append(
                    Check(
                        f"{logits.name}: {name}, {side}'s logits x 1/4 and x 4, cosine with the "
                        'gradient at x 1, the lower',
                        cosine,
                        '>=',
                        bound,
                    )
                )
                checks.append(
                    Check(
                        f"{logits.name}: {name}, {side}'s logits x 4 against x 1/4, length of the "
                        'gradient, the larger over the smaller',
                        length,
                        '<=',
                        2,
                    )
                )
    return Claim(
        'scale',
        'The gradient of the ranking loss is largely invariant to the scale of the logits.',
        'abstract of arXiv 2409.17823 ("channel scaling"), read as one factor on all logits of a '
        'side',
        checks,
        limits(data),
        data,
    )
