"""Numbers that count what is done to them, and the ranking loss written in them as on paper."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, permutations


class Tally:
    """Float64 arithmetic with a count of each operation."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def add(self, x: float, y: float) -> float:
        self.count['additions'] += 1
        return x + y

    def sub(self, x: float, y: float) -> float:
        return self.add(x, -y)

    def mul(self, x: float, y: float) -> float:
        self.count['multiplications'] += 1
        return x * y

    def fma(self, x: float, y: float, z: float) -> float:
        self.count['multiplications'] += 1
        return x * y + z

    def reciprocal(self, x: float) -> float:
        self.count['reciprocals'] += 1
        return 1 / x

    def exp(self, x: float) -> float:
        self.count['exponentials'] += 1
        # The argument 2k (x - m) is one multiply-add, with k = 1 and m = 0.
        return math.exp(self.fma(2, x, 0))


def kendall(t: Tally, s: list[float], r: list[float]) -> tuple[float, list[float]]:
    """Sum of a b over unordered pairs, and its derivative."""
    p, q = [t.exp(x) for x in s], [t.exp(x) for x in r]
    p2, q2 = [t.mul(x, x) for x in p], [t.mul(x, x) for x in q]
    total, acc = 0.0, [0.0] * len(s)
    for i, j in combinations(range(len(s)), 2):
        inverse = t.reciprocal(t.mul(t.add(p[i], p[j]), t.add(q[i], q[j])))
        w = t.mul(t.mul(t.sub(q2[i], q2[j]), inverse), inverse)
        total = t.fma(t.sub(p2[i], p2[j]), w, total)
        acc[i] = t.fma(p[j], w, acc[i])
        acc[j] = t.fma(-p[i], w, acc[j])
    return total, [t.mul(t.mul(4, p[i]), acc[i]) for i in range(len(s))]


def kendall_ordered(t: Tally, s: list[float], r: list[float]) -> tuple[float, list[float]]:
    """The same without antisymmetry; the sum over rows, O(C), is not counted."""
    p, q = [t.exp(x) for x in s], [t.exp(x) for x in r]
    p2, q2 = [t.mul(x, x) for x in p], [t.mul(x, x) for x in q]
    rows, acc = [0.0] * len(s), [0.0] * len(s)
    for i, j in permutations(range(len(s)), 2):
        inverse = t.reciprocal(t.mul(t.add(p[i], p[j]), t.add(q[i], q[j])))
        w = t.mul(t.mul(t.sub(q2[i], q2[j]), inverse), inverse)
        rows[i] = t.add(rows[i], w)
        acc[i] = t.fma(p[j], w, acc[i])
    total = sum(x * y for x, y in zip(p2, rows, strict=True))
    return total, [t.mul(t.mul(4, p[i]), acc[i]) for i in range(len(s))]


def cosine(t: Tally, s: list[float], r: list[float]) -> tuple[list[float], list[float]]:
    """Sums of a b, a a and b b, and the derivative of (sum a b) - ratio (sum a a) for ratio = 3."""
    p, q = [t.exp(x) for x in s], [t.exp(x) for x in r]
    ab = aa = bb = 0.0
    acc_b, acc_a = [0.0] * len(s), [0.0] * len(s)
    for i, j in combinations(range(len(s)), 2):
        sum_p, sum_q = t.add(p[i], p[j]), t.add(q[i], q[j])
        inverse = t.reciprocal(t.mul(sum_p, sum_q))
        v, z = t.mul(inverse, sum_q), t.mul(inverse, sum_p)
        a, b = t.mul(t.sub(p[i], p[j]), v), t.mul(t.sub(q[i], q[j]), z)
        ab, aa, bb = t.fma(a, b, ab), t.fma(a, a, aa), t.fma(b, b, bb)
        c = t.mul(v, v)
        with_b, with_a = t.mul(c, b), t.mul(c, a)
        acc_b[i], acc_b[j] = t.fma(p[j], with_b, acc_b[i]), t.fma(-p[i], with_b, acc_b[j])
        acc_a[i], acc_a[j] = t.fma(p[j], with_a, acc_a[i]), t.fma(-p[i], with_a, acc_a[j])
    # d aa / d s_i = 2 sum (1 - a^2) a: hence twice the ratio.
    grad = [t.mul(t.mul(4, p[i]), t.fma(-6, acc_a[i], acc_b[i])) for i in range(len(s))]
    return [ab, aa, bb], grad
