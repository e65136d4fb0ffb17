"""How fast a machine could do some work: the slowest of its units, all of which run at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
from torch.nn.functional import conv2d

from benchmarks.limit.work import Work

# Of a CPU's multiply-add slots: an estimate with one Newton step, and a reduction of the argument
# with a polynomial of degree 5.
_RECIPROCAL_SLOTS = 3
_EXPONENTIAL_SLOTS = 8


class Machine(Protocol):
    """A machine with its rates."""

    def seconds(self, work: Work) -> dict[str, float]:
        """Least time of each unit, by name; the bound is the largest."""
        ...


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU.

    Attributes:
        multiprocessors: Number of streaming multiprocessors.
        clock_hz: Their clock.
        bytes_per_s: Memory's rate.
        lanes: Float32 results a multiprocessor and clock, and threads that can issue.
        special_lanes: Exponentials or reciprocals a multiprocessor and clock.
    """

    multiprocessors: int
    clock_hz: float
    bytes_per_s: float
    lanes: int = 128
    special_lanes: int = 16

    def seconds(self, work: Work) -> dict[str, float]:
        """Time of memory, special functions, and issue, where every instruction takes a slot."""
        clocks = self.multiprocessors * self.clock_hz
        special = work.exponentials + work.reciprocals
        return {
            'memory': work.bytes / self.bytes_per_s,
            'special': special / (clocks * self.special_lanes),
            'arithmetic': (work.additions + work.multiplications + special) / (clocks * self.lanes),
        }


# From its datasheet, memory at the nominal rate: no kernel reaches it.
H200 = Gpu(multiprocessors=132, clock_hz=1.98e9, bytes_per_s=4.8e12)


@dataclass(frozen=True)
class Cpu:
    """A CPU, all of its threads together.

    Attributes:
        multiply_adds_per_s: Float32 multiply-adds.
        bytes_per_s: Memory's rate, reading and writing.
    """

    multiply_adds_per_s: float
    bytes_per_s: float

    def seconds(self, work: Work) -> dict[str, float]:
        """Time of memory and arithmetic; additions are free, having units of their own on some."""
        slots = (
            work.multiplications
            + _RECIPROCAL_SLOTS * work.reciprocals
            + _EXPONENTIAL_SLOTS * work.exponentials
        )
        return {
            'memory': work.bytes / self.bytes_per_s,
            'arithmetic': slots / self.multiply_adds_per_s,
        }


@cache
def calibrated_cpu(images: int = 16, elements: int = 1 << 25, repeats: int = 20) -> Cpu:
    """Measures this CPU with torch's threads; once a process.

    A 3 x 3 convolution of 64 channels that fits the caches comes within a few percent of what the
    multiply-add units can do. A matrix product would not do for a ceiling: on some CPUs its library
    uses half the vector width. It runs on one thread, by that thread's own clock, which other
    processes do not slow, and counts once for each thread.

    Args:
        images: Of 56 x 56 pixels, in the convolution.
        elements: Floats of the copy that gives the bytes; several times the caches.
        repeats: The fastest of so many counts.

    Returns:
        The rates.
    """
    pixels = torch.rand(images, 64, 56, 56).to(memory_format=torch.channels_last)
    weights = torch.rand(64, 64, 3, 3).to(memory_format=torch.channels_last)
    source = torch.rand(elements)
    target = torch.empty_like(source)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    convolution_s = _fastest(lambda: conv2d(pixels, weights), repeats, time.thread_time)
    torch.set_num_threads(threads)
    copy_s = _fastest(lambda: target.copy_(source), repeats, time.perf_counter)
    multiply_adds = images * 54**2 * weights.numel()
    return Cpu(threads * multiply_adds / convolution_s, 2 * source.nbytes / copy_s)


def _fastest(call: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = clock()
        call()
        times.append(clock() - start)
    return min(times)


def machine_of(device: str | torch.device) -> Machine | None:
    """Return the machine behind a device, or None for a GPU whose rates are not known here."""
    device = torch.device(device)
    if device.type == 'cpu':
        return calibrated_cpu()
    return H200 if 'H200' in torch.cuda.get_device_name(device) else None
