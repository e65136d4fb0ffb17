"""What does not change: a run from the same seed, and the teacher in any run."""

from __future__ import annotations

import hashlib

import pytest
import torch

from tests.detectors import FASTER, RETINA
from tests.training import assert_same, train, training_config, weights


def digest(state):
    """SHA-256 of all tensors of a state_dict, with their names."""
    content = hashlib.sha256()
    for name in sorted(state):
        content.update(name.encode())
        content.update(state[name].contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return content.hexdigest()


@pytest.fixture(scope='module', params=[FASTER, RETINA])
def trained(request, tmp_path_factory):
    """The folder of a run, its config and its runner."""
    folder = tmp_path_factory.mktemp('runs')
    config = training_config(request.param, folder)
    return folder, config, train(config, folder / 'one')


def test_two_runs_from_one_seed_agree_bit_for_bit(trained):
    folder, config, _ = trained
    train(config, folder / 'other')
    assert_same(weights(folder / 'one' / 'iter_8.pth'), weights(folder / 'other' / 'iter_8.pth'))
    one, other = ((folder / name / 'seen.0').read_text() for name in ('one', 'other'))
    assert one == other


def test_another_seed_is_another_run(trained):
    folder, config, _ = trained
    config = config.copy()
    config.randomness = dict(seed=6)
    train(config, folder / 'seed')
    one, other = (
        torch.load(folder / name / 'iter_8.pth', map_location='cpu')['state_dict']
        for name in ('one', 'seed')
    )
    assert digest(one) != digest(other)


def test_the_teacher_has_the_hash_of_its_file(trained):
    """Parameters and buffers, the statistics of its batch norms among them, after a run."""
    folder, _, runner = trained
    after = runner.model.teacher_session.model.state_dict()
    file = torch.load(folder / 'teacher.pth')['state_dict']
    # Branches that the class logits do not need are cut.
    assert digest(after) == digest({name: file[name] for name in after})
    assert any(name.endswith('running_var') for name in after)
    assert len(after) > 0.9 * len(file)
