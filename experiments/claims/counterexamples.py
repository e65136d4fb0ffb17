"""Claim: the ranking loss gives every class a gradient, for any probability of the class."""

from __future__ import annotations

import torch
from torch import Tensor

from experiments.claims.claim import Check, Claim, number
from experiments.claims.logits import LogitSet, normal
from experiments.claims.terms import Term, kd, rank

GAPS = [0.5 * step for step in range(1, 41)]
SURROGATES = ('tanh', 'erf', 'algebraic', 'atan')

_KL = 'KL'
_NOISE = 0.1


def variants() -> dict[str, Term]:
    """Return the compared ranking losses: each surrogate, and other changes of tanh."""
    return {
        **{name: rank(surrogate=name) for name in SURROGATES},
        'tanh, k = 0.1': rank(steepness=0.1),
        'tanh, standardised': rank(standardize=True),
    }


def clustered() -> tuple[LogitSet, slice]:
    """Build a right class, two like it, 78 wrong ones close together, and a nearly right student.

    Returns:
        The row, and the measured columns.
    """
    cluster = -6 + 0.5 * normal((78,), 'cluster')
    teacher = torch.cat([torch.tensor([14.0, 12.0, 10.0]).double(), cluster])[None]
    student = teacher + _NOISE * normal(teacher.shape, 'student of the cluster')
    return _row('clustered', student, teacher), slice(3, None)


def isolated(gap: float = 22.0) -> tuple[LogitSet, slice]:
    """Build two likely classes and one ``gap`` below them, which the student has 0.1 too high."""
    teacher = torch.tensor([[0.0, -1.0, -1.0 - gap]], dtype=torch.float64)
    student = teacher + torch.tensor([0.0, 0.0, _NOISE])
    return _row('isolated', student, teacher), slice(2, None)


def misordered(gap: float = 10.0) -> tuple[LogitSet, slice]:
    """Build four classes, two of which the student has in the wrong order, by ``gap``."""
    half = gap / 2
    teacher = torch.tensor([[half, -half, 0.2, -0.2]], dtype=torch.float64)
    student = torch.tensor([[-half, half, 0.2, -0.2]], dtype=torch.float64)
    return _row('misordered', student, teacher), slice(1, 2)


CASES = {'clustered': clustered, 'isolated': isolated, 'misordered': misordered}


def mean_gradient(term: Term, case: tuple[LogitSet, slice]) -> float:
    """Return the mean ``|gradient|`` on the measured columns of a case."""
    logits, columns = case
    return float(term.gradient(logits)[:, columns].abs().mean())


def less_than_kd(term: Term, logits: LogitSet) -> float:
    """Return the share of the unlikely channels that get less gradient from a term than from KL."""
    less = term.gradient(logits).abs() < kd(logits).gradient(logits).abs()
    return float(less[logits.unlikely()].double().mean())


def gaps_of_misordered(logits: LogitSet) -> Tensor:
    """Return the student's gap of each pair that it orders differently from the teacher."""
    first, second = torch.triu_indices(logits.classes, logits.classes, 1)
    student_gaps = logits.student[:, first] - logits.student[:, second]
    teacher_gaps = logits.teacher[:, first] - logits.teacher[:, second]
    return student_gaps[student_gaps * teacher_gaps < 0].abs()


def claim(sets: list[LogitSet]) -> Claim:
    """Measure constructed rows, and how often real rows are like them.

    Args:
        sets: The logits.
    """
    terms = variants()
    cases, sweeps = {}, {}
    for name, case in CASES.items():
        measured = {_KL: mean_gradient(kd(case()[0]), case())}
        measured |= {key: mean_gradient(term, case()) for key, term in terms.items()}
        cases[name] = {key: number(value) for key, value in measured.items()}
    for name in ('isolated', 'misordered'):
        rows = [CASES[name](gap) for gap in GAPS]
        sweeps[name] = {
            _KL: [number(mean_gradient(kd(row[0]), row)) for row in rows],
            **{k: [number(mean_gradient(t, row)) for row in rows] for k, t in terms.items()},
        }
    real = {}
    for logits in sets:
        gaps = gaps_of_misordered(logits)
        pairs = logits.classes * (logits.classes - 1) / 2 * len(logits.teacher)
        real[logits.name] = {
            'misordered pairs': number(len(gaps) / pairs),
            'of these by more than 5': number((gaps > 5).double().mean()),
            'less than KL': {
                key: number(less_than_kd(term, logits)) for key, term in terms.items()
            },
        }
    checks = [
        Check(
            f'{name}: {key}, gradient over that of KL',
            number(measured[key] / measured[_KL]),
            '>=',
            1 if name != 'misordered' else 1e-3,
        )
        for name, measured in cases.items()
        for key in terms
    ]
    checks += [
        Check(
            f'{name}: unlikely channels that get more gradient from rank than from KL',
            number(1 - record['less than KL']['tanh']),
            '>=',
            0.9,
        )
        for name, record in real.items()
    ]
    return Claim(
        'counterexamples',
        'The ranking loss gives every class and every misordered pair a gradient worth having, '
        'whatever the probability and the gap.',
        'what one might take the bound 2k / C for; the abstract says "low-probability channels"',
        checks,
        'The bound is an upper one. What is claimed is true of unlikely classes that lie close '
        'together. tanh and erf give up a class alone far below the rest and a pair far out of '
        'order; the heavier tails of algebraic and atan, and a smaller steepness, fix both, '
        'standardised logits the first. Of a pair far out of order KL makes more than any of them, '
        'one reason to keep it.',
        {'cases': cases, 'gaps': GAPS, 'sweeps': sweeps, 'sets': real},
    )


def _row(name: str, student: Tensor, teacher: Tensor) -> LogitSet:
    return LogitSet(name, student, teacher, teacher.argmax(1))
