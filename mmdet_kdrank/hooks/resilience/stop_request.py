"""Signals that ask a training to stop, and the iteration at which all processes do."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce

from mmdet_kdrank.errors import ArgumentError


class Stopped(SystemExit):
    """All processes exit together, at the same point of the program."""


class StopRequest:
    """Records a signal, so that it does not end the process at once.

    The first signal is recorded. A launcher may forward a signal that its processes got as well. So
    more signals within :attr:`ECHO` seconds count as the same one. A later signal acts as it would
    without this object.

    Data loading workers that get the signal too die from it, and torch then raises an error. That
    error is suppressed if a stop was requested.

    Args:
        names: Names of signals, ``'SIGTERM'``.

    Raises:
        ValueError: If this system has no signal of that name.
    """

    ECHO = 5.0
    """Seconds in which more signals count as one."""

    def __init__(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in signal.Signals.__members__]
        if unknown:
            raise ArgumentError(
                f'signals: {", ".join(unknown)} is no signal of this system. Choose from '
                f'{", ".join(signal.Signals.__members__)}.'
            )
        self._signals = [signal.Signals[name] for name in names]
        self._previous: dict[int, Any] = {}
        self._signal = 0
        self._since = 0.0

    def listen(self) -> None:
        """Handle the signals from now on; call it in the main thread, as Python requires."""
        for number in self._signals:
            if number not in self._previous:
                self._previous[number] = signal.signal(number, self._note)

    def listen_to_workers(self) -> None:
        """Handle the death of data loading workers, if torch handles it already."""
        handler = signal.getsignal(signal.SIGCHLD)
        if self._signals and callable(handler) and handler != self._child_died:
            self._previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, self._child_died)

    def close(self) -> None:
        """Restore the former signal handlers."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def agreed(self) -> signal.Signals | None:
        """Return the signal that any process got; the result is the same in all processes.

        All processes must call it at the same point of the training.
        """
        highest = torch.tensor([self._signal])
        all_reduce(highest, op='max')
        return signal.Signals(int(highest)) if highest else None

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._signal:
            self._signal, self._since = number, now
        elif now - self._since > self.ECHO:
            signal.signal(number, self._previous.pop(number))
            signal.raise_signal(number)

    def _child_died(self, number: int, frame: FrameType | None) -> None:
        try:
            self._previous[number](number, frame)
        except RuntimeError:
            # A signal to a group of processes may reach the workers first.
            deadline = time.monotonic() + 1
            while not self._signal and time.monotonic() < deadline:
                time.sleep(0.01)
            if not self._signal:
                raise
