"""What a row of the tables of faults is, and what each has to end in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mmdet_kdrank.errors import KDRankError

LEFT_OUT = object()


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Args:
        make: Does it; takes what the test offers.
        message: Pattern of the error's message, from the fault to the mend.
        kind: The builtin class that the error belongs to, beside the project's own.
        fixed: Does the same with what the message advises, and succeeds.
    """

    make: Callable[..., Any]
    message: str
    kind: type[Exception] = ValueError
    fixed: Callable[..., Any] | None = None

    def check(self, *given: Any) -> None:
        """Do it, and look at how it ends."""
        with pytest.raises(self.kind, match=self.message) as caught:
            self.make(*given)
        assert isinstance(caught.value, KDRankError), type(caught.value)
        assert '\n' not in str(caught.value), 'one paragraph'
        if self.fixed is not None:
            self.fixed(*given)


def fault(act, message, kind, options, fix):
    """The row of an act with these options.

    ``fix`` has the options that the message advises in their place, a tuple of them where it offers
    a choice; one that is to be left out is ``LEFT_OUT``.
    """
    fixes = fix if isinstance(fix, tuple) else (fix,)

    def fixed(*folder):
        for advised in fixes:
            act(**kept({**options, **advised}))

    return Fault(lambda *folder: act(**options), message, kind, fixed if fix else None)


def kept(options):
    """The options that are not left out."""
    return {key: value for key, value in options.items() if value is not LEFT_OUT}


def each(argument, *values, **others):
    """A choice of values of an argument, each of which is a fix."""
    return tuple({argument: value, **others} for value in values)
