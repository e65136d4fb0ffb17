"""Claim: descending KL, rank or both from random starts ends at the teacher."""

from __future__ import annotations

from experiments.claims.claim import Check, Claim, number
from experiments.claims.descent import SAME_VALUES, descend, random_start, shares_reached
from experiments.claims.logits import LogitSet
from experiments.claims.terms import Term, base_name, kd, rank, together
from mmdet_kdrank.ops import kendall_tau

ROWS, RATE, STEPS = 48, 1.0, 2000


def residual(term: Term, logits: LogitSet) -> float:
    """Length of the gradient where the student equals the teacher, over that at a random start.

    Args:
        term: The loss.
        logits: The rows.
    """
    there = term.gradient(logits, logits.teacher).norm(dim=1).mean()
    return float(there / term.gradient(logits, random_start(logits)).norm(dim=1).mean())


def limits(data: dict) -> str:
    """Where the claim ends, with the runs that got to the order and to the values.

    Args:
        data: The claim's.
    """
    first = next(iter(data.values()))['terms']
    base = next(iter(first))
    steps = first[base]['steps'][-1]
    terms = [measured['terms'] for measured in data.values()]
    orders = ', '.join(f'{100 * by_term[base]["order"]:.0f} %' for by_term in terms)
    values = max(term['values'] for by_term in terms for term in by_term.values())
    whose = f'At most {100 * values:.0f} % of the runs' if values else 'No run'
    return (
        'A row of logits has no poor optimum under KL, which is convex in them. After '
        f"{steps} steps of {base} {orders} of the runs ({', '.join(data)}) are at the teacher's "
        f"order. {whose} of any loss ended at the teacher's logits (within {SAME_VALUES:g}, root "
        'mean square). Rank alone says nothing of the values, and the plain form does not rest at '
        's = t, so that alongside KL it keeps KL from its last digits. Nothing of this shows what '
        'happens to the weights of a network.'
    )


def claim(sets: list[LogitSet]) -> Claim:
    """Descend every loss from random starts and count where the runs end.

    Args:
        sets: The logits; the first :data:`ROWS` rows of each are runs.
    """
    data, checks = {}, []
    for whole in sets:
        logits = whole.first(ROWS)
        name = base_name(logits)
        terms = {
            name: kd(logits),
            'rank': rank(),
            'rank, cosine': rank(form='cosine'),
            f'{name} + rank': together(logits),
        }
        measured = {}
        for key, term in terms.items():
            descent = descend(term, logits, random_start(logits), RATE, STEPS)
            order, distribution, values = shares_reached(descent.end, logits)
            measured[key] = {
                **descent.trace(),
                'order': number(order),
                'distribution': number(distribution),
                'values': number(values),
                'residual': number(residual(term, logits)),
            }
        soft = kendall_tau(logits.teacher, logits.teacher).mean()
        data[logits.name] = {'terms': measured, 'tau of the teacher with itself': number(soft)}
        for key in terms:
            for goal, description in (
                ('order', "the teacher's order"),
                ('distribution', "the teacher's distribution"),
            ):
                checks.append(
                    Check(
                        f'{logits.name}: runs of {key} that end at {description}',
                        measured[key][goal],
                        '>=',
                        0.95,
                    )
                )
            checks.append(
                Check(
                    f'{logits.name}: gradient of {key} at s = t, over that at the start',
                    measured[key]['residual'],
                    '<=',
                    0.02,
                )
            )
    return Claim(
        'optima',
        'Descent from random starts ends at the teacher: at its order of the classes, and at its '
        'distribution.',
        'a reading of the abstract of arXiv 2409.17823 (the ranking loss helps to avoid poor '
        'optima)',
        checks,
        limits(data),
        data,
    )
