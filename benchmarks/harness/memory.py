"""Peak memory of a call, beyond what was resident before it."""

import ctypes
import gc
import multiprocessing
import pickle
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch

Make = Callable[[], Callable[[], object]]

# Imported once in the server that measuring processes are forked from.
_PRELOAD = ['torch', 'mmdet_kdrank.ops', 'benchmarks.harness']


def peak_extra_bytes(
    make: Make, warm_up: Make | None = None, device: str | torch.device = 'cpu'
) -> int:
    """Measure the peak memory of a call, beyond the memory in use before it.

    The call's result counts, its input does not. On a CPU it runs in a new process. The kernel
    measures that process's peak, which includes every allocator. Threads that the warm-up did not
    start add about half a megabyte.

    Args:
        make: Prepares the input and returns the call. On a CPU it must pickle: a function of a
            module, or a ``functools.partial`` of one.
        warm_up: The same for a tiny input, called first: it loads libraries and starts threads.
            After a warm-up of the same size, the measured call could reuse memory on a CPU.
        device: Device of the call.

    Returns:
        Bytes.

    Raises:
        TypeError: If ``make`` or ``warm_up`` does not pickle.
        RuntimeError: If the call fails; on a CPU with the text of its own error.
    """
    if torch.device(device).type == 'cuda':
        return _on_cuda(make, warm_up, torch.device(device))
    try:
        pickle.dumps((make, warm_up))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f'{make!r} runs in a new process and does not pickle ({error}): pass a function of a '
            'module, or a functools.partial of one.'
        ) from error
    # Not fork: OpenMP's threads, once started, hang in a forked child. Not spawn: it imports
    # everything anew for every figure.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(_PRELOAD)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, make, warm_up), daemon=True)
    process.start()
    sender.close()
    try:
        peak, error = receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f'the process that measured memory ended with exit code {process.exitcode}; -9 is the '
            "kernel's answer to too little memory."
        ) from None
    process.join()
    if error:
        raise RuntimeError(f'the call whose memory was to be measured failed: {error}')
    return peak


def _report(sender: Connection, make: Make, warm_up: Make | None) -> None:
    try:
        sender.send((_on_cpu(make, warm_up), ''))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised in the parent
        sender.send((0, f'{type(error).__name__}: {error}'))


def _on_cpu(make: Make, warm_up: Make | None) -> int:
    call = make()
    if warm_up is not None:
        warm_up()()
    gc.collect()
    # Freed memory that the allocator keeps is resident: the call would take it for nothing.
    ctypes.CDLL(None).malloc_trim(0)
    before = _status_bytes('VmRSS')
    # 5 resets the high-water mark.
    Path('/proc/self/clear_refs').write_text('5')
    result = call()
    peak = _status_bytes('VmHWM')
    del result
    return max(0, peak - before)


def _status_bytes(field: str) -> int:
    for line in Path('/proc/self/status').read_text().splitlines():
        name, _, value = line.partition(':')
        if name == field:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f'/proc/self/status has no {field}: memory is measured on Linux alone.')


def _on_cuda(make: Make, warm_up: Make | None, device: torch.device) -> int:
    if warm_up is not None:
        warm_up()()
    call = make()
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    result = call()
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device)
    del result
    return peak - before
