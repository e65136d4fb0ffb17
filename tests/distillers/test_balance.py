"""A weight that keeps a loss's gradient at a share of another's."""

import math
from dataclasses import replace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper

from mmdet_kdrank.distillers.balance import KEY
from tests.detectors import (
    CASCADE,
    FASTER,
    RETINA,
    build,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
    training_losses,
)
from tests.distillers.test_distill_terms import compute, head, terms
from tests.distributed.ranks import run_ranks
from tests.runners import make_runner

KD = dict(type='KDLoss')


def rank(share=0.3, **options):
    return dict(type='KendallRankLoss', loss_weight=dict(share=share, of='loss_kd', **options))


@pytest.fixture(autouse=True)
def hub(request):
    return MessageHub.get_instance(f'{request.node.name}-{id(request)}')


@pytest.fixture
def make(tmp_path):
    def make(name=FASTER, losses=None, **options):
        config = small_config(name)
        teacher = small_config(name, width=8)
        checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
        losses = losses or dict(loss_kd=KD, loss_rank=rank())
        return distiller_config(config, teacher, checkpoint, distill_losses=losses, **options)

    return make


def watched(model):
    """The class logits that the losses of each call compared, and their values by prefix."""
    seen, terms = [], model.distill_terms
    inner = terms.head_losses

    def head_losses(head, samples, chosen, *rest):
        values = inner(head, samples, chosen, *rest)
        seen.append((head.prefix, chosen.student, values))
        return values

    terms.head_losses = head_losses
    return seen


def norm(value, logits):
    return torch.autograd.grad(value, logits, retain_graph=True)[0].float().norm()


@pytest.mark.parametrize('name', [FASTER, RETINA, CASCADE])
def test_the_share_is_what_it_says(make, hub, name):
    """In the first step, which is its own mean, and in each with no memory of others."""
    model = build(make(name, dict(loss_rank=rank(momentum=0.0), loss_kd=KD)))
    seen = watched(model)
    for step in range(2):
        training_losses(model, seed=step)
    assert len(seen) == 2 * (3 if name == CASCADE else 1)
    for prefix, logits, values in seen:
        sizes = [norm(values[f'{prefix}loss_{loss}'], logits) for loss in ('rank', 'kd')]
        torch.testing.assert_close(sizes[0], 0.3 * sizes[1], rtol=1e-4, atol=0)
        logged = hub.get_scalar(f'train/distill_share.{prefix}loss_rank').current()
        assert logged == pytest.approx(0.3, rel=1e-4)
        assert hub.get_scalar(f'train/distill_weight.{prefix}loss_rank').current() > 0


def test_the_share_holds_on_average_over_smoothed_steps(make):
    model = build(make(losses=dict(loss_kd=KD, loss_rank=rank(0.5))))
    seen = watched(model)
    own, other = 0.0, 0.0
    for step in range(6):
        training_losses(model, seed=step)
        _, logits, values = seen[-1]
        weight = model.distill_terms.balance.last['loss_rank']
        own += float(norm(values['loss_rank'], logits) / weight) ** 2
        other += float(norm(values['loss_kd'], logits)) ** 2
        assert weight == pytest.approx(0.5 * math.sqrt(other / own), rel=1e-4)


def test_bounds_hold_and_schedules_multiply(make):
    model = build(make(losses=dict(loss_kd=KD, loss_rank=rank(1e3, bounds=(0.5, 2.0)))))
    plain = training_losses(model)['loss_rank']
    assert model.distill_terms.balance.last == {'loss_rank': 2.0}
    model.distill_factors.update(loss_rank=0.25, loss_kd=1e-3)
    torch.testing.assert_close(training_losses(model)['loss_rank'], 0.25 * plain)
    assert model.distill_terms.balance.last == {'loss_rank': 2.0}


@pytest.mark.parametrize('idle', ['loss_kd', 'loss_rank'])
def test_a_loss_that_is_off_changes_no_weight(make, idle):
    model = build(make())
    training_losses(model)
    before = dict(model.distill_terms.balance.last)
    model.distill_factors[idle] = 0.0
    losses = training_losses(model, seed=1)
    assert losses[idle] == 0
    assert model.distill_terms.balance.last == before


def test_a_step_without_rows_changes_no_weight(make):
    model = build(make())
    training_losses(model)
    before = dict(model.distill_terms.balance.last)
    model.train_cfg.rpn_proposal.min_bbox_size = 10_000
    losses = training_losses(model, boxes=0)
    assert losses['loss_rank'] == 0
    losses['loss_rank'].backward()
    assert model.distill_terms.balance.last == before


def test_half_precision_gives_the_same_weight():
    """With a normaliser that would make every gradient 0 in float16."""
    weights = []
    for dtype in (torch.float32, torch.float16):
        distill_terms = terms(dict(loss_kd=KD, loss_rank=rank()))
        part = head()
        student = part.samples.student.detach().to(dtype).requires_grad_()
        samples = replace(part.samples, student=student, avg_factor=1e7)
        compute(distill_terms, [replace(part, samples=samples, tensors=[student])])
        weights.append(distill_terms.balance.last['loss_rank'])
    assert weights[1] == pytest.approx(weights[0], rel=0.01)


def test_accumulated_batches_are_steps_of_their_own(make):
    model = build(make())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    wrapper = OptimWrapper(optimizer, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 2)
    for seed in range(2):
        torch.manual_seed(seed)
        model.train_step(raw_batch(seed=seed), wrapper)
    assert model.distill_terms.balance._means['loss_rank'][0] == 2


def test_a_resumed_run_equals_an_uninterrupted_one(make, tmp_path):
    # RetinaNet samples nothing at random.
    config, two = make(RETINA), dict(by_epoch=True, max_epochs=2)
    whole = make_runner(config, tmp_path / 'whole', train_cfg=two)
    expected = whole.train()
    half = tmp_path / 'whole' / 'epoch_1.pth'
    assert torch.load(half)['message_hub']['runtime_info'][KEY]['loss_rank'][0] == 2
    resumed = make_runner(
        config, tmp_path / 'resumed', train_cfg=two, resume=True, load_from=str(half)
    )
    model = resumed.train()
    assert model.distill_terms.balance.last == expected.distill_terms.balance.last
    states = [trained.state_dict() for trained in (model, expected)]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    stock = build(small_config(RETINA))
    stock.load_state_dict(torch.load(tmp_path / 'whole' / 'epoch_2.pth')['state_dict'])


def weight_of_rank(index, rows):
    """The weight on a rank that has its part of hand-made rows."""
    distill_terms = terms(dict(loss_kd=KD, loss_rank=rank()))
    part = head(rows=sum(rows))
    start = sum(rows[:index])
    mine = range(sum(rows)) if index is None else range(start, start + rows[index])
    samples = part.samples.take(torch.tensor(mine, dtype=torch.long))
    compute(distill_terms, [replace(part, samples=samples, tensors=[samples.student])])
    return distill_terms.balance.last['loss_rank']


@pytest.mark.parametrize('rows', [(5, 3), (8, 0)])
def test_all_ranks_have_the_weight_of_one_process(rows):
    weights = run_ranks(2, weight_of_rank, rows)
    assert weights[0] == weights[1] == pytest.approx(weight_of_rank(None, rows), rel=1e-5)


@pytest.mark.parametrize(
    ('weight', 'message'),
    [
        (dict(share=0.3, of='loss_x'), "loss_weight: of='loss_x' is no entry .* one of loss_kd"),
        (dict(share=0.3, of='loss_rank'), "of='loss_rank' is no entry"),
        (dict(share=0, of='loss_kd'), 'share=0 must be a positive'),
        (dict(share=0.3, of='loss_kd', momentum=1), 'momentum=1 must be at least 0 and less'),
        (dict(share=0.3, of='loss_kd', bounds=(2, 1)), r'bounds=\(2, 1\) must be rising'),
        (dict(share=0.3), "distill_losses.loss_rank.loss_weight: .*'of'"),
        (dict(part=0.3, of='loss_kd'), "loss_weight: .*'part'"),
    ],
)
def test_refuses(make, weight, message):
    losses = dict(loss_kd=KD, loss_rank=dict(type='KendallRankLoss', loss_weight=weight))
    with pytest.raises((ValueError, TypeError), match=message):
        build(make(losses=losses))
