"""Rows of one size: every candidate, side by side."""

from collections.abc import Sequence
from functools import partial

from benchmarks.candidates import CANDIDATES, forward_backward, refusal
from benchmarks.harness import captured, peak_extra_bytes, side_by_side
from benchmarks.harness.rows import Row
from benchmarks.harness.timing import Timing
from benchmarks.limit import machine_of, work

_WARM_UP = (16, 8)


def measure(
    names: Sequence[str],
    n: int,
    c: int,
    form: str,
    device: str,
    scale: float = 3.0,
    rounds: int = 7,
    budget_s: float = 10.0,
) -> list[Row]:
    """Measures forward and backward of candidates in turns, with their memory.

    Args:
        names: Keys of ``CANDIDATES``. What cannot run here gets a row with the reason.
        n: Rows.
        c: Classes.
        form: ``'kendall'`` or ``'cosine'``.
        device: Where.
        scale: Standard deviation of the logits.
        rounds: Samples of each.
        budget_s: Seconds for the rounds of all together.

    Returns:
        A row for each candidate and, on CUDA, another for its kernels alone, replayed from a graph.
        ``speedup`` and ``memory_share`` are relative to ``reference`` in the same mode, where that
        is among the names; ``bound_share`` is the bound's time over the measured one.
    """
    size = {'n': n, 'c': c, 'form': form}
    reasons = {name: refusal(name, device, form) for name in names}
    runs = [name for name in names if not reasons[name]]
    rows: list[Row] = []
    peaks = {name: _peak(name, n, c, form, device, scale) for name in runs}
    calls = {name: forward_backward(name, n, c, form, device, scale) for name in runs}
    modes = {'eager': calls}
    if device != 'cpu':
        modes['graph'] = {name: captured(call) for name, call in calls.items()}
    bound_s = _bound(n, c, form, device)
    for mode, candidates in modes.items():
        timings = side_by_side(candidates, rounds, budget_s, device)
        for name, timing in timings.items():
            rows.append(
                {
                    **size,
                    'candidate': name,
                    'mode': mode,
                    **timing._asdict(),
                    'peak_extra_bytes': peaks[name],
                    **_relative(name, timings, peaks),
                    'bound_s': bound_s,
                    'bound_share': bound_s / timing.median_s if bound_s else None,
                    'note': '',
                }
            )
    for name, reason in reasons.items():
        if reason:
            rows.append({**size, 'candidate': name, 'note': f'not run: {reason}'})
    return rows


def _peak(name: str, n: int, c: int, form: str, device: str, scale: float) -> int:
    make = partial(forward_backward, name, n, c, form, device, scale)
    warm_up = partial(forward_backward, name, *_WARM_UP, form, device, scale)
    # Compiling takes more memory than the call, and so does tuning on CUDA.
    same = CANDIDATES[name].compiles or device != 'cpu'
    return peak_extra_bytes(make, make if same else warm_up, device)


def _bound(n: int, c: int, form: str, device: str) -> float | None:
    machine = machine_of(device)
    return None if machine is None else max(machine.seconds(work(n, c, form)).values())


def _relative(name: str, timings: dict[str, Timing], peaks: dict[str, int]) -> Row:
    if 'reference' not in timings:
        return {}
    return {
        'speedup': timings['reference'].median_s / timings[name].median_s,
        # The smallest calls fit in pages that are there already.
        'memory_share': peaks[name] / peaks['reference'] if peaks['reference'] else None,
    }
