"""A claim, what was checked of it, and the verdict that follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

HOLDS, PARTLY, FAILS = 'holds', 'holds partly', 'fails'


@dataclass(frozen=True)
class Check:
    """A number and the bound that the claim puts on it.

    Attributes:
        what: What the number is.
        value: As measured.
        relation: ``'<='`` or ``'>='``.
        bound: What a word like "almost none" is taken to mean; it decides.
    """

    what: str
    value: float
    relation: str
    bound: float

    @property
    def met(self) -> bool:
        """Whether the number keeps within the bound; NaN never does."""
        return self.value <= self.bound if self.relation == '<=' else self.value >= self.bound


@dataclass(frozen=True)
class Claim:
    """What is claimed, and what was found.

    Attributes:
        key: Short name, also of its plot.
        statement: The claim, a sentence.
        source: Who claims it.
        checks: What decides.
        limits: What it does not say, or where it ends; a sentence or two.
        data: Everything else that was measured, for tables and plots; of plain JSON types.
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
        """The claim as it goes into the JSON file."""
        return {
            'key': self.key,
            'statement': self.statement,
            'source': self.source,
            'verdict': self.verdict,
            'checks': [
                {
                    'what': check.what,
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
    """A measured value as the JSON file has it: six digits, which other machines reproduce."""
    return float(f'{float(value):.6g}')
