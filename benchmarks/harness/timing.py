"""Times of several candidates, taken in turns so that a machine's noise hits all alike."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch

Call = Callable[[], object]

# Shorter samples measure the clock and the scheduler as much as the code.
_MIN_SAMPLE_S = 5e-3


class Timing(NamedTuple):
    """Seconds a call, over rounds.

    Attributes:
        median_s: Median over the rounds.
        low_s: Lower quartile.
        high_s: Upper quartile.
        rounds: Number of samples; a sample is the mean of as many calls as fill some milliseconds.
    """

    median_s: float
    low_s: float
    high_s: float
    rounds: int

    @classmethod
    def of(cls, samples: list[float]) -> 'Timing':
        """Summarises samples, in seconds."""
        if len(samples) == 1:
            return cls(samples[0], samples[0], samples[0], 1)
        low, median, high = statistics.quantiles(samples, n=4, method='inclusive')
        return cls(median, low, high, len(samples))


def side_by_side(
    candidates: Mapping[str, Call],
    rounds: int = 7,
    budget_s: float = 30.0,
    device: str | torch.device = 'cpu',
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time candidates in interleaved rounds, A B C A B C ..., after a warm-up of each.

    Args:
        candidates: Calls without arguments, by name.
        rounds: Samples of each.
        budget_s: Seconds for the rounds of all candidates together; fewer rounds are run, at least
            one, where they would take longer.
        device: Where the calls run; on CUDA, events on the current stream are the clock.
        clock: The time in seconds, on a CPU.

    Returns:
        The timing of each candidate.
    """
    if rounds < 1 or not candidates:
        raise ValueError(f'rounds={rounds} of {len(candidates)} candidates: there must be one.')
    device = torch.device(device)
    samplers: dict[str, Callable[[int], float]] = {}
    for name, call in candidates.items():
        call()
        samplers[name] = _sampler(call, device, clock)
    counts, samples, round_s = {}, {}, 0.0
    # The first round finds out how many calls fill a sample.
    for name, sample in samplers.items():
        counts[name], seconds = _calls_for(sample, _MIN_SAMPLE_S)
        samples[name] = [seconds / counts[name]]
        round_s += seconds
    for _ in range(min(rounds, int(budget_s / round_s)) - 1):
        for name, sample in samplers.items():
            samples[name].append(sample(counts[name]) / counts[name])
    return {name: Timing.of(values) for name, values in samples.items()}


def _calls_for(sample: Callable[[int], float], seconds: float) -> tuple[int, float]:
    """How many calls last that long, and how long they took."""
    count = 1
    while (taken := sample(count)) < seconds:
        # At most tenfold at once: the first call after another candidate is slower than the next.
        count *= min(10, max(2, math.ceil(seconds / taken))) if taken > 0 else 10
    return count, taken


def _sampler(
    call: Call, device: torch.device, clock: Callable[[], float]
) -> Callable[[int], float]:
    """Return a function from a number of calls to the seconds they take together."""

    def on_cpu(count: int) -> float:
        start = clock()
        for _ in range(count):
            call()
        return clock() - start

    def on_cuda(count: int) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        for _ in range(count):
            call()
        end.record()
        torch.cuda.synchronize(device)
        return start.elapsed_time(end) / 1e3

    return on_cuda if device.type == 'cuda' else on_cpu


def captured(call: Call) -> Call:
    """Capture a call's kernels in a CUDA graph: its replay has no launch overhead of Python.

    Args:
        call: Launches the same kernels on the same tensors each time, and never synchronises.

    Returns:
        A call that replays them.

    Raises:
        RuntimeError: Without CUDA.
    """
    if not torch.cuda.is_available():
        raise RuntimeError('A CUDA graph was asked for, and torch sees no CUDA device.')
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    # Capture refuses what a first call does: compiling, tuning, growing workspaces.
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        # Held by the graph's owner: freed, its memory would be handed out again.
        kept = call()

    def replay() -> object:
        graph.replay()
        return kept

    return replay
