"""Turns ninja's lines into one line of progress."""

import re
import sys
import time
from collections.abc import Callable
from typing import TextIO

_NINJA = re.compile(r'^\[(\d+)/(\d+)\]')


def duration(seconds: float) -> str:
    """Write a time span in minutes and seconds.

    Example:
        >>> duration(250)
        '4 min 10 s'
        >>> duration(9.7)
        '9 s'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f'{minutes} min {rest} s' if minutes else f'{rest} s'


class BuildProgress:
    """Prints the number of compiled files, of all files, and the time since the start.

    Args:
        total: Number of source files.
        out: Where to print, stdout by default; on a terminal one line is rewritten.
        clock: The time in seconds.
        every: Number of files between two lines, if ``out`` is no terminal.
    """

    def __init__(
        self,
        total: int,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        every: int = 10,
    ) -> None:
        self._total = total
        self._out = out or sys.stdout
        self._clock = clock
        self._every = every
        self._start = clock()
        self._printed = -1

    def feed(self, line: str) -> None:
        """Take a line of the build's output."""
        match = _NINJA.match(line)
        if match is None:
            return
        finished, planned = int(match.group(1)), int(match.group(2))
        # A resumed build plans only the remaining files.
        total = max(self._total, planned)
        self._show(total - planned + finished, total)

    def close(self) -> None:
        """End the rewritten line."""
        if self._out.isatty() and self._printed >= 0:
            self._out.write('\n')

    def _show(self, done: int, total: int) -> None:
        text = f'[{done}/{total}] files compiled, {duration(self._clock() - self._start)}'
        if self._out.isatty():
            self._out.write(f'\r  {text}')
        elif (
            self._printed < 0 or done == total or done // self._every > self._printed // self._every
        ):
            self._out.write(f'  {text}\n')
        else:
            return
        self._printed = done
        self._out.flush()
