"""Claim: the objective of the ranking loss agrees with that of KL."""

from __future__ import annotations

import torch

from experiments.claims.claim import Check, Claim, number
from experiments.claims.descent import descend
from experiments.claims.logits import LogitSet
from experiments.claims.terms import base_name, kd, rank

RATE, STEPS = 1.0, 200


def limits(data: dict) -> str:
    """Return the limits of the claim, with the tau that the descents from the student reach.

    Args:
        data: Data of the claim.
    """
    traces = [measured['traces'] for measured in data.values()]
    base = next(term for trace in traces for term in trace if 'T = ' in term)
    ends = {
        term: ', '.join(f'{trace[term]["tau"][-1]:.2f}' for trace in traces)
        for term in (base, 'rank')
    }
    steps = next(iter(data.values()))['traces'][base]['steps'][-1]
    return (
        'They agree while the student ranks classes wrongly. Once it is near the teacher, the '
        'plain form goes on pushing classes apart, against KL; the cosine form does not. '
        f'{steps} steps of {base.split(",")[0]} alone raise tau too, to {ends[base]} '
        f'({", ".join(data)}), those of rank to {ends["rank"]}; how often either ends at the '
        "teacher's order, from random starts, is part of the next claim."
    )


def claim(sets: list[LogitSet]) -> Claim:
    """Compare the gradients of both, and measure each loss while the other one is descended.

    Args:
        sets: The logits; descent starts at the set's own student, and at the teacher.
    """
    data, checks = {}, []
    for logits in sets:
        base, name = kd(logits), base_name(logits)
        near = logits.near()
        record, traces = {}, {}
        for term in (rank(), rank(form='cosine')):
            cosine, cosine_near = (
                torch.nn.functional.cosine_similarity(term.gradient(s), base.gradient(s), eps=1e-30)
                for s in (logits, near)
            )
            down = descend(term, logits, logits.student, RATE, STEPS)
            away = descend(term, logits, logits.teacher, RATE, STEPS)
            traces[term.name] = down.trace()
            traces[f'{term.name}, from the teacher'] = away.trace()
            record[term.name] = {
                'cosine': number(cosine.mean()),
                'rows that agree': number((cosine > 0).double().mean()),
                'cosine, student near': number(cosine_near.mean()),
                f'{name} from the student on': [
                    number(down.divergence[0]),
                    number(down.divergence[-1]),
                ],
                f'{name} from the teacher on': [
                    number(away.divergence[0]),
                    number(away.divergence[-1]),
                ],
            }
        down = descend(base, logits, logits.student, RATE, STEPS)
        traces[base.name] = down.trace()
        record[f'tau under {name}'] = [number(down.tau[0]), number(down.tau[-1])]
        data[logits.name] = {**record, 'traces': traces}
        checks += [
            Check(
                f'{logits.name}: rows whose gradients under rank and under {name} agree (cosine '
                'above 0)',
                record['rank']['rows that agree'],
                '>=',
                0.9,
            ),
            Check(
                f'{logits.name}: tau gained by {STEPS} steps of descent on {name} alone',
                number(down.tau[-1] - down.tau[0]),
                '>=',
                0.01,
            ),
        ]
        for form in ('rank', 'rank, cosine'):
            start, end = record[form][f'{name} from the student on']
            checks.append(
                Check(
                    f'{logits.name}: KL after {STEPS} steps of descent on {form} alone, over that '
                    'before',
                    number(end / start),
                    '<=',
                    1,
                )
            )
            checks.append(
                Check(
                    f'{logits.name}: KL that {STEPS} steps of {form} bring a student who equals '
                    "the teacher, over the trained student's",
                    number(record[form][f'{name} from the teacher on'][1] / start),
                    '<=',
                    0.01,
                )
            )
    return Claim(
        'agreement',
        "The ranking loss's objective agrees with KL's.",
        'abstract of arXiv 2409.17823',
        checks,
        limits(data),
        data,
    )
