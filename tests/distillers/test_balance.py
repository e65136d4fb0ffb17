"""A weight that keeps a loss's gradient at a share of another's."""

import math
from dataclasses import replace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper

from mmdet_kdrank.diagnostics.iteration import IterationWatch
from mmdet_kdrank.distillers.balance import KEY
from tests.detectors import (
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


def balanced(*arguments, **options):
    """The losses' side alone; the entry to balance comes first."""
    return terms(dict(loss_rank=rank(*arguments, **options), loss_kd=KD))


def norm(value, part):
    return float(torch.autograd.grad(value, part.samples.student, retain_graph=True)[0].norm())


@pytest.fixture(autouse=True)
def hub(request):
    return MessageHub.get_instance(f'{request.node.name}-{id(request)}')


@pytest.fixture
def config(tmp_path):
    checkpoint = save_teacher(small_config(RETINA, width=8), tmp_path / 'teacher.pth')
    losses = dict(loss_kd=KD, loss_rank=rank())
    return distiller_config(
        small_config(RETINA), small_config(RETINA, width=8), checkpoint, distill_losses=losses
    )


@pytest.mark.parametrize('channels', ['all', 'foreground'])
def test_the_share_is_what_it_says(channels, hub):
    """In the first step, which is its own mean, and in each with no memory of others."""
    losses = dict(loss_rank=rank(momentum=0.0), loss_kd=KD)
    distill_terms = terms(losses, channels=channels)
    for seed in range(2):
        parts = [head(f's{stage}.', scale=1 + stage, seed=seed + 2 * stage) for stage in range(2)]
        values = compute(distill_terms, parts)
        for part in parts:
            sizes = [norm(values[f'{part.prefix}loss_{name}'], part) for name in ('rank', 'kd')]
            assert sizes[0] == pytest.approx(0.3 * sizes[1], rel=1e-4)
            name = f'{part.prefix}loss_rank'
            logged = {
                key: hub.get_scalar(f'train/distill_{key}.{name}').current()
                for key in ('share', 'weight')
            }
            assert logged['share'] == pytest.approx(0.3, rel=1e-4)
            assert logged['weight'] == distill_terms.balance.last[name]


def test_the_share_holds_on_average_over_smoothed_steps():
    distill_terms = balanced(0.5)
    own, other = 0.0, 0.0
    for seed in range(6):
        part = head(seed=seed)
        values = compute(distill_terms, [part])
        weight = distill_terms.balance.last['loss_rank']
        own += (norm(values['loss_rank'], part) / weight) ** 2
        other += norm(values['loss_kd'], part) ** 2
        assert weight == pytest.approx(0.5 * math.sqrt(other / own), rel=1e-4)


def test_the_share_of_a_loss_along_the_candidates():
    """It compares all rows of a head with each other, whatever the selector chose."""
    crank = dict(type='LogitMSELoss', loss_weight=dict(share=2.0, of='loss_kd'))
    distill_terms = terms(dict(loss_kd=KD, loss_crank=crank))
    distill_terms.entries['loss_crank'].compares_rows_alone = False
    part = head()
    values = compute(distill_terms, [part])
    assert norm(values['loss_crank'], part) == pytest.approx(2 * norm(values['loss_kd'], part))


def test_bounds_hold_and_schedules_multiply():
    distill_terms = balanced(1e3, bounds=(0.5, 2.0))
    plain = compute(distill_terms, [head()])['loss_rank']
    assert distill_terms.balance.last == {'loss_rank': 2.0}
    distill_terms.factors.update(loss_rank=0.25, loss_kd=1e-3)
    torch.testing.assert_close(compute(distill_terms, [head()])['loss_rank'], 0.25 * plain)
    assert distill_terms.balance.last == {'loss_rank': 2.0}


@pytest.mark.parametrize(
    ('factors', 'rows'), [({'loss_kd': 0.0}, 6), ({'loss_rank': 0.0}, 6), ({}, 0)]
)
def test_a_loss_that_is_off_or_without_rows_changes_no_weight(factors, rows):
    distill_terms = balanced()
    compute(distill_terms, [head()])
    before = dict(distill_terms.balance.last)
    distill_terms.factors.update(factors)
    values = compute(distill_terms, [head(seed=1, rows=rows)])
    assert distill_terms.balance.last == before
    assert all(values[name] == 0 for name in factors)
    if not rows:
        values['loss_rank'].backward()


def test_half_precision_gives_the_same_weight():
    """With a normaliser that would make every gradient 0 in float16."""
    weights = []
    for dtype in (torch.float32, torch.float16):
        distill_terms = balanced()
        part = head()
        student = part.samples.student.detach().to(dtype).requires_grad_()
        samples = replace(part.samples, student=student, avg_factor=1e7)
        compute(distill_terms, [replace(part, samples=samples, tensors=[student])])
        weights.append(distill_terms.balance.last['loss_rank'])
    assert weights[1] == pytest.approx(weights[0], rel=0.01)


def test_accumulated_batches_are_steps_of_their_own(config):
    model = build(config)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0), accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 2)
    for seed in range(2):
        model.train_step(raw_batch(seed=seed), wrapper)
    assert model.distill_terms.balance._means['loss_rank'][0] == 2


def test_diagnostics_measure_with_the_weight(config):
    config.distill_losses.loss_rank.loss_weight.bounds = (3.0, 3.0)
    model = build(config)
    with IterationWatch(model, (0.5,), (1,)).watch() as values:
        losses = training_losses(model)
    parts = [values[f'loss_rank.{side}'] for side in ('foreground', 'background')]
    assert sum(parts) == pytest.approx(float(losses['loss_rank'].detach()), rel=1e-4)


def test_a_resumed_run_equals_an_uninterrupted_one(config, tmp_path):
    two = dict(by_epoch=True, max_epochs=2)
    expected = make_runner(config, tmp_path / 'whole', train_cfg=two).train()
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


def test_a_run_resumed_from_a_checkpoint_without_measurements_says_so(hub, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmdet_kdrank.distillers.balance.print_log', lambda text, **_: said.append(text)
    )
    hub.update_info('iter', 5)
    compute(balanced(), [head()])
    assert len(said) == 1 and 'start anew' in said[0]


def weight_of_rank(index, rows):
    """The weight on a rank that has its part of hand-made rows; without an index, all of them."""
    distill_terms = balanced()
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
def test_refuses(weight, message):
    with pytest.raises((ValueError, TypeError), match=message):
        terms(dict(loss_kd=KD, loss_rank=dict(type='KendallRankLoss', loss_weight=weight)))
