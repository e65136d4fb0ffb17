"""A claim, its checks, and the verdict that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

HOLDS, PARTLY, FAILS = 'holds', 'holds partly', 'fails'


@dataclass(frozen=True)
class Check:
    """A number and the bound that the claim puts on it.

    Attributes:
        quantity: Name of the number.
        value: The measured number.
        relation: ``'<='`` or ``'>='``.
        bound: The number that we read a phrase like "almost none" as; it decides.
    """

    quantity: str
    value: float
    relation: str
    bound: float

    @property
    def met(self) -> bool:
        """Whether the number is within the bound; NaN never is."""
        return self.value <= self.bound if self.relation == '<=' else self.value >= self.bound


@dataclass(frozen=True)
class Claim:
    """A claim and its measurements.

    Attributes:
        key: Short name, also of its plot.
        statement: The claim, a sentence.
        source: Who claims it.
        checks: They decide the verdict.
        limits: What the claim does not cover; a sentence or two.
        data: All other measurements, for tables and plots; of plain JSON types.
    """

    key: str
    statement: str
    source: str
    checks: list[Check]
    limits: str
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``'holds'`` if every check is met, ``'fails'`` if none is, else ``'holds partly'``."""
        met = [check.met for check in self.checks]
        return HOLDS if all(met) else PARTLY if any(met) else FAILS

    def record(self) -> dict[str, Any]:
        """Return the claim's entry in the JSON file."""
        return {
            'key': self.key,
            'statement': self.statement,
            'source': self.source,
            'verdict': self.verdict,
            'checks': [
                {
                    'what': check.quantity,
                    'value': check.value,
                    'relation': check.relation,
                    'bound': check.bound,
                    'met': check.met,
                }
                for check in self.checks
            ],
            'limits': self.limits,
            'data': self.data,
        }


def number(value: object) -> float:
    """Round a measured value for the JSON file: other machines reproduce six digits."""
    return float(f'{float(value):.6g}')
