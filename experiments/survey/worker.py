"""One attempt at a config, in its own process."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.distributed as dist
from mmdet.utils import register_all_modules

from experiments.survey.outcome import NOT_RUN, REFUSED, WORKS, Outcome, described, outcome_of
from experiments.survey.step import distilling_step, stock_step
from mmdet_kdrank.check.random_batch import SIZES, Sizes

# Registered once, in the process that all attempts are forked from.
register_all_modules(init_default_scope=False)


def attempt(
    model: dict, imports: Sequence[str], memory: int, log: str, results: Connection
) -> None:
    """Train a model for a step and send the :class:`Outcome`.

    Args:
        model: The model of a stock config, as :func:`lean_model` returns it.
        imports: Modules to import first.
        memory: Most bytes of memory.
        log: File for the output.
        results: Connection that gets the outcome.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    _redirect(log)
    warnings.filterwarnings('ignore')
    torch.set_num_threads(1)
    register_all_modules(init_default_scope=True)
    # A process group of one process, as under torchrun: mmcv's SyncBN needs a group.
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    started = time.perf_counter()
    for module in imports:
        import_module(module)
    for sizes in SIZES:
        outcome = _tried(model, sizes)
        if outcome.result != NOT_RUN:
            break
    results.send((outcome.result, outcome.reason, time.perf_counter() - started))


def _tried(model: dict, sizes: Sizes) -> Outcome:
    try:
        with tempfile.TemporaryDirectory() as folder:
            distilling_step(model, sizes, Path(folder))
        return Outcome(WORKS)
    except Exception as error:
        outcome = outcome_of(error)
    if outcome.result == REFUSED:
        return outcome
    try:
        stock_step(model, sizes)
    except Exception as error:
        return Outcome(NOT_RUN, f'the stock config does not train here: {described(error)}')
    return outcome


def _redirect(log: str) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    with open(log, 'w', encoding='utf-8') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
