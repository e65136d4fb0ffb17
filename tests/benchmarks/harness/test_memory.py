from functools import partial

import pytest

from benchmarks.harness import peak_extra_bytes
from tests.benchmarks.harness import calls

MIB = 1 << 20


@pytest.mark.parametrize('call', [calls.ones, calls.passing])
def test_peak_counts_what_is_returned_and_what_is_freed(call):
    peak = peak_extra_bytes(partial(call, 48), warm_up=partial(call, 1))
    assert 47 * MIB < peak < 52 * MIB


def test_nothing_takes_nothing():
    assert peak_extra_bytes(partial(calls.ones, 0), partial(calls.ones, 1)) < 2 * MIB


def test_what_a_new_process_cannot_import_is_refused():
    with pytest.raises(TypeError, match='does not pickle .*: pass a function of a module'):
        peak_extra_bytes(lambda: list)


def test_a_failing_call_fails_here_too():
    with pytest.raises(RuntimeError, match='failed: ValueError: no such thing'):
        peak_extra_bytes(calls.failing)
