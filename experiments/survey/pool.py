"""Runs attempts at the same time, each with a limit of time and memory."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from experiments.survey.outcome import FAILED, Outcome


@dataclass(frozen=True)
class Limits:
    """The limits of an attempt.

    Args:
        seconds: Most seconds.
        memory: Most bytes of memory.
    """

    seconds: float = 300.0
    memory: int = 8 << 30


class Attempts:
    """Processes that each try one model.

    They are forked from a server that has imported everything, so an attempt imports nothing. A
    fault or a crash of one attempt does not affect the others.

    Args:
        limits: Limits of each attempt.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._context = get_context('forkserver')
        self._context.set_forkserver_preload(['experiments.survey.worker'])

    def run(self, model: dict, imports: tuple[str, ...] = ()) -> Outcome:
        """Try a model; a crash or a limit is a failed outcome too."""
        from experiments.survey.worker import attempt

        receiver, sender = self._context.Pipe(duplex=False)
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / 'log.txt'
            log.touch()
            process = self._context.Process(
                target=attempt, args=(model, imports, self.limits.memory, str(log), sender)
            )
            process.start()
            sender.close()
            try:
                if not receiver.poll(self.limits.seconds):
                    return self._failed(f'took more than {self.limits.seconds:g} s', started)
                return Outcome(*receiver.recv())
            except EOFError:
                process.join()
                last = log.read_text(encoding='utf-8').strip().splitlines()[-1:] or ['no output']
                reason = f'the process ended with {process.exitcode} ({last[0]})'
                return self._failed(reason, started)
            finally:
                process.kill()
                process.join()
                receiver.close()

    @staticmethod
    def _failed(reason: str, started: float) -> Outcome:
        return Outcome(FAILED, reason, time.perf_counter() - started)
