"""Runs a function in several gloo processes."""

from __future__ import annotations

import multiprocessing
import queue
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

# A server that has imported everything forks the ranks.
_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(['tests.detectors', 'mmdet_kdrank'])


class Hang(AssertionError):
    """A rank did not end in time."""


def run_ranks(world: int, function: Callable, *args: Any, seconds: float = 120) -> list[Any]:
    """Results of ``function(rank, *args)`` on every rank; an exception is returned like a result.

    A rank that ends, with or without an exception, leaves the group by its process's end, as under
    a launcher.
    """
    with tempfile.TemporaryDirectory() as folder:
        answers = _CONTEXT.Queue()
        processes = [
            _CONTEXT.Process(
                target=_rank, args=(rank, world, folder, answers, function, args), daemon=True
            )
            for rank in range(world)
        ]
        for process in processes:
            process.start()
        results: dict[int, Any] = {}
        end = time.monotonic() + seconds
        try:
            while len(results) < world:
                rank, value = answers.get(timeout=max(end - time.monotonic(), 0.01))
                results[rank] = value
        except queue.Empty:
            missing = sorted(set(range(world)) - results.keys())
            codes = [processes[rank].exitcode for rank in missing]
            raise Hang(
                f'ranks {missing} (exit codes {codes}) after {seconds} s; the others: {results}'
            ) from None
        finally:
            for process in processes:
                process.kill() if len(results) < world else process.join()
        return [results[rank] for rank in range(world)]


def _rank(rank: int, world: int, folder: str, answers: Any, function: Callable, args: tuple):
    from mmdet.utils import register_all_modules

    torch.set_num_threads(1)
    register_all_modules(init_default_scope=True)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{Path(folder) / "store"}', rank=rank, world_size=world
    )
    try:
        value = function(rank, *args)
    except Exception as error:
        traceback.print_exc()
        value = type(error)(str(error))
    answers.put((rank, value))
