"""Times on a clock that moves only when a candidate runs."""

from itertools import groupby

import pytest
import torch

from benchmarks.harness import Timing, captured, side_by_side


class Clock:
    """A clock, and calls that take a given time of it."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def __call__(self):
        return self.now

    def takes(self, name, *seconds):
        """A call that takes each of these times in turn, then the last one for good."""
        left = list(seconds)

        def call():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


@pytest.fixture
def clock():
    return Clock()


def test_median_and_quartiles_leave_the_warm_up_out(clock):
    call = clock.takes('a', 100.0, 5.0, 1.0, 4.0, 2.0, 3.0)
    timings = side_by_side({'a': call}, rounds=5, clock=clock)
    assert timings == {'a': Timing(median_s=3.0, low_s=2.0, high_s=4.0, rounds=5)}


def test_candidates_take_turns(clock):
    calls = {name: clock.takes(name, 1.0) for name in 'abc'}
    side_by_side(calls, rounds=3, clock=clock)
    assert ''.join(clock.calls) == 'abc' + 'abcabcabc'


def test_a_sample_of_a_short_call_lasts_milliseconds(clock):
    calls = {'short': clock.takes('short', 1e-4), 'long': clock.takes('long', 1.0)}
    timings = side_by_side(calls, rounds=2, clock=clock)
    assert timings['short'].median_s == pytest.approx(1e-4)
    last = [len(list(run)) for name, run in groupby(clock.calls) if name == 'short'][-1]
    assert 50 <= last < 100


@pytest.mark.parametrize(('budget_s', 'rounds'), [(100.0, 7), (8.0, 4), (0.1, 1)])
def test_the_budget_limits_the_rounds(clock, budget_s, rounds):
    calls = {name: clock.takes(name, 1.0) for name in 'ab'}
    timings = side_by_side(calls, rounds=7, budget_s=budget_s, clock=clock)
    assert {timing.rounds for timing in timings.values()} == {rounds}


def test_one_round_has_no_spread():
    assert Timing.of([2.0]) == Timing(2.0, 2.0, 2.0, 1)


@pytest.mark.parametrize(('candidates', 'rounds'), [({'a': list}, 0), ({}, 7)])
def test_nothing_to_time_is_refused(candidates, rounds):
    with pytest.raises(ValueError, match='there must be one'):
        side_by_side(candidates, rounds)


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is CUDA')
def test_a_graph_needs_cuda():
    with pytest.raises(RuntimeError, match='torch sees no CUDA device'):
        captured(list)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA')
def test_cuda_is_timed_with_and_without_a_graph():
    x = torch.ones(8, device='cuda')
    calls = {'eager': lambda: x * 2, 'graph': captured(lambda: x * 2)}
    timings = side_by_side(calls, rounds=2, device='cuda')
    assert all(timing.median_s > 0 for timing in timings.values())
    assert calls['graph']().tolist() == [2.0] * 8
