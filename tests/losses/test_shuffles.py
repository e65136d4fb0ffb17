"""Shuffles: uniform, reproducible, other on each call, and without a trace elsewhere."""

import random

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub

from mmdet_kdrank.losses import shuffles
from mmdet_kdrank.losses.shuffles import ORDERS, Shuffles


@pytest.fixture
def hub(request):
    """A message hub such as a runner's."""
    hub = MessageHub.get_instance(request.node.name)
    yield hub
    del MessageHub._instance_dict[request.node.name]


def draws(count, seed=0, columns=9):
    source = Shuffles(seed)
    return [source.draw(columns) for _ in range(count)]


def test_rows_are_permutations():
    orders = Shuffles(3).draw(50)
    assert orders.shape == (ORDERS, 50) and orders.dtype is torch.int64
    assert torch.equal(orders.sort(1).values, torch.arange(50).expand(ORDERS, -1))
    assert len(orders.unique(dim=0)) == ORDERS


def test_uniform():
    """Each of the six orders of three classes comes as often, within five standard deviations."""
    orders = torch.cat(draws(400, columns=3))
    counts = orders.unique(dim=0, return_counts=True)[1]
    expected = len(orders) / 6
    assert len(counts) == 6
    assert (counts - expected).abs().max() < 5 * (expected * 5 / 6) ** 0.5


def test_seed_and_call_decide():
    first, again, other = draws(3), draws(3), draws(3, seed=1)
    assert all(map(torch.equal, first, again))
    assert len(torch.stack(first + other).unique(dim=0)) == 6


def test_ranks_differ(monkeypatch):
    here = draws(1)[0]
    monkeypatch.setattr(shuffles, 'get_rank', lambda: 1)
    assert not torch.equal(draws(1)[0], here)


def test_a_resumed_training_goes_on_alike(hub):
    """Two calls an iteration, as of a Cascade's stages; the second run starts at iteration 2."""
    runs = []
    for start in (0, 2):
        source, run = Shuffles(0), []
        for iteration in range(start, 4):
            hub.update_info('iter', iteration)
            run += [source.draw(9), source.draw(9)]
        runs.append(run)
    assert len(torch.stack(runs[0]).unique(dim=0)) == 8
    assert all(map(torch.equal, runs[0][4:], runs[1]))


def test_other_random_numbers_stay():
    states = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
    draws(3)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]


@pytest.mark.parametrize('seed', [-1, 0.5, None])
def test_refuses(seed):
    with pytest.raises(ValueError, match=f'seed={seed} must be a whole number of at least 0'):
        Shuffles(seed)
