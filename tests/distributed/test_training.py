"""Ordinary steps on several ranks: the same parameters everywhere, whatever a rank has to learn."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper

from tests.detectors import CASCADE, FASTER, RETINA, save_teacher, small_config
from tests.distributed.detectors import batch, distiller, wrap
from tests.distributed.ranks import run_ranks

STEPS = 20


def digest(model) -> str:
    hashed = hashlib.sha256()
    for value in model.state_dict().values():
        hashed.update(value.numpy().tobytes())
    return hashed.hexdigest()


def train(rank: int, name: str, checkpoint: str, options: dict) -> tuple[str, set, float]:
    """Trains on other pictures on each rank; the last has less and less to learn from."""
    model = wrap(distiller(name, checkpoint, **options))
    student = model.module
    before = student.backbone.conv1.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    wrapper = OptimWrapper(optimizer, clip_grad=dict(max_norm=10))
    last = rank == torch.distributed.get_world_size() - 1
    torch.manual_seed(rank)
    logged = set()
    for step in range(STEPS):
        objects = 0 if last and step % 3 else 2
        if last and step % 3 == 2 and 'rpn_proposal' in student.train_cfg:
            # No proposal and no object: no RoI.
            student.train_cfg.rpn_proposal.min_bbox_size = 10_000
        log = model.train_step(batch((objects,) * 2, first=100 * rank + 2 * step), wrapper)
        if 'rpn_proposal' in student.train_cfg:
            student.train_cfg.rpn_proposal.min_bbox_size = 0
        assert all(value.isfinite().all() for value in log.values())
        logged.add(any('distill_tau' in key for key in log))
    moved = float((student.backbone.conv1.weight.detach() - before).abs().max())
    return digest(student), logged, moved


@pytest.mark.slow
@pytest.mark.parametrize(
    ('world', 'name', 'options'),
    [
        (2, FASTER, {}),
        (4, FASTER, dict(selector=dict(type='PositiveSamples'))),
        (2, CASCADE, {}),
        (2, RETINA, {}),
        (4, RETINA, dict(selector=dict(type='PositiveSamples'))),
    ],
)
def test_parameters_stay_equal(tmp_path: Path, world, name, options):
    teacher = save_teacher(small_config(name, width=8), tmp_path / 'teacher.pth')
    results = run_ranks(world, train, name, teacher, options, seconds=300)
    digests, logged, moved = zip(*results, strict=True)
    assert len(set(digests)) == 1
    assert min(moved) > 0
    if name != RETINA or options:
        # The last rank was without a sample at times.
        assert logged[-1] == {True, False}


def one_step(rank: int, name: str, checkpoint: str, side: str) -> dict:
    model = wrap(distiller(name, checkpoint))
    if rank == 1:
        detector = model.module if side == 'student' else model.module.teacher_session.model
        detector.bbox_head.retina_cls.bias.data[2] = float('nan')
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    before = digest(model.module)
    try:
        model.train_step(batch((2, 2), first=2 * rank), OptimWrapper(optimizer))
    except FloatingPointError as error:
        return str(error), digest(model.module) == before
    return None


@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_nan_in_the_logits_of_one_rank_stops_all(tmp_path, side):
    teacher = save_teacher(small_config(RETINA, width=8), tmp_path / 'teacher.pth')
    results = run_ranks(2, one_step, RETINA, teacher, side, seconds=60)
    assert len({message for message, _ in results}) == 1
    message = results[0][0]
    assert message.startswith('[rank 1 of 2] ') and f"the {side}'s logits behind" in message
    assert all(unchanged for _, unchanged in results)


def first_step(rank: int, checkpoint: str) -> None:
    model = wrap(distiller(RETINA, checkpoint))
    # As if the data set of the second machine were another one.
    classes = tuple('vwxyz' if rank == 1 else 'abcde')
    MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=classes))
    model.train_step(batch((2, 2)), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01)))


def test_a_teacher_that_does_not_fit_one_rank_stops_all(tmp_path):
    meta = dict(dataset_meta=dict(classes=tuple('abcde')))
    teacher = save_teacher(small_config(RETINA, width=8), tmp_path / 'teacher.pth', meta=meta)
    first, second = run_ranks(2, first_step, teacher, seconds=60)
    assert isinstance(second, ValueError) and 'no class name in common' in str(second)
    assert type(first).__name__ == 'OtherRankError' and str(second) in str(first)
