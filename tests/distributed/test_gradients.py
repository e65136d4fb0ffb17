"""The mean over the ranks of the distillation gradients is that of one process."""

from __future__ import annotations

import pytest
import torch

from tests.detectors import ATSS, FASTER, FCOS, KD, RETINA, save_teacher, small_config
from tests.distributed.detectors import batch, distillation_gradients, distiller, wrap
from tests.distributed.ranks import run_ranks

# Objects in each picture: of two ranks, the second has none, or four times as many.
EVEN, NONE, UNEVEN = (2, 2, 2, 2), (3, 2, 0, 0), (1, 1, 4, 4)


def on_ranks(rank: int, name: str, checkpoint: str, options: dict, boxes: tuple) -> dict:
    share = len(boxes) // torch.distributed.get_world_size()
    mine = slice(rank * share, (rank + 1) * share)
    model = wrap(distiller(name, checkpoint, **options))
    gradients = distillation_gradients(model, batch(boxes[mine], first=mine.start))
    return {key: value.numpy() for key, value in gradients.items()}


def alone(name: str, checkpoint: str, options: dict, boxes: tuple) -> dict:
    return distillation_gradients(distiller(name, checkpoint, **options), batch(boxes))


def assert_equal(expected: dict, got: list[dict]) -> None:
    scale = max(float(value.abs().max()) for value in expected.values())
    assert scale > 1e-4
    for rank in got:
        assert rank.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(
                torch.from_numpy(rank[key]), value, rtol=1e-4, atol=1e-5 * scale, msg=key
            )


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory):
    from mmdet.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    folder = tmp_path_factory.mktemp('teachers')
    return {
        name: save_teacher(small_config(name, width=8), folder / f'{number}.pth')
        for number, name in enumerate((FASTER, RETINA, FCOS, ATSS))
    }


CASES = [
    (2, FASTER, 'AllSamples', EVEN),
    (4, FASTER, 'AllSamples', UNEVEN),
    (2, FASTER, 'PositiveSamples', UNEVEN),
    (2, FASTER, 'PositiveSamples', NONE),
    (2, FASTER, 'ScoreWeightedSamples', UNEVEN),
    (4, RETINA, 'TopkSamples', UNEVEN),
    (2, RETINA, 'AllSamples', NONE),
    (2, RETINA, 'PositiveSamples', UNEVEN),
    (4, RETINA, 'PositiveSamples', NONE),
    (2, RETINA, 'ScoreWeightedSamples', EVEN),
    (2, FCOS, 'AllSamples', UNEVEN),
    (2, ATSS, 'AllSamples', NONE),
]


@pytest.mark.slow
@pytest.mark.parametrize(('world', 'name', 'selector', 'boxes'), CASES)
def test_ranks_give_the_gradients_of_one_process(checkpoints, world, name, selector, boxes):
    case = (name, checkpoints[name], dict(selector=dict(type=selector)), boxes)
    assert_equal(alone(*case), run_ranks(world, on_ranks, *case))


@pytest.mark.slow
@pytest.mark.parametrize('boxes', [UNEVEN, NONE])
def test_losses_along_the_candidates_too(checkpoints, boxes):
    """A row is an object, so that ranks have as many as their pictures show."""
    rank = dict(type='CandidateRankLoss', rows='object')
    options = dict(distill_losses=dict(loss_kd={**KD, 'loss_weight': 0.0}, loss_rank=rank))
    case = (RETINA, checkpoints[RETINA], options, boxes)
    assert_equal(alone(*case), run_ranks(2, on_ranks, *case))


def local_normalisers(rank: int, *case) -> dict:
    # As it would be if each rank divided by its own count.
    import mmdet_kdrank.distillers.distill_terms as terms

    terms.global_avg_factor = lambda total, device: max(float(total), 1.0)
    return on_ranks(rank, *case)


@pytest.mark.slow
def test_normalisers_of_each_rank_would_not(checkpoints):
    case = (FASTER, checkpoints[FASTER], dict(selector=dict(type='PositiveSamples')), UNEVEN)
    with pytest.raises(AssertionError, match='backbone'):
        assert_equal(alone(*case), run_ranks(2, local_normalisers, *case))
