"""A check and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mmdet_kdrank.environment.facts import Facts

SETUP = 'run `make setup` in the checkout, which installs the pinned versions into .venv.'


class Fault(NamedTuple):
    """A fault of the environment.

    Attributes:
        what: What is wrong, in one sentence.
        mend: What to do about it.
    """

    what: str
    mend: str

    def __str__(self) -> str:
        """Write both as one line."""
        return f'{self.what} Mend: {self.mend}'


class Check(NamedTuple):
    """One thing that can be wrong.

    Attributes:
        name: What the doctor calls it.
        probe: Looks at the facts and returns the fault, or None.
    """

    name: str
    probe: Callable[[Facts], Fault | None]
