"""The losses' side alone, on two hand-made heads: no detector and no teacher are built."""

import pytest
import torch
from torch import nn

from mmdet_kdrank.distillers.distill_terms import DistilledHead, DistillTerms
from mmdet_kdrank.heads.class_output import ClassOutput
from mmdet_kdrank.structures.samples import ClassAlignment, DistillSamples
from tests.detectors import KD, RANK

COLUMNS = list(range(3))
CLASSES = ClassAlignment(COLUMNS, COLUMNS, 3, 3)
MODELS = dict(student=nn.Linear(1, 1), teacher=nn.Linear(1, 1))


def terms(losses=None, features=None, channels='all', on_nonfinite='raise'):
    losses = dict(loss_rank=RANK) if losses is None else losses
    return DistillTerms(losses, features, dict(type='AllSamples'), channels, on_nonfinite)


def head(prefix='', scale=1.0, seed=0, rows=6):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(rows, 4, generator=generator) for _ in range(2))
    samples = DistillSamples(
        student=student.requires_grad_(),
        teacher=teacher,
        image=torch.zeros(rows, dtype=torch.long),
        activation='softmax',
        background=True,
        num_classes=3,
        labels=torch.arange(rows) % 4,
        weights=torch.ones(rows),
        avg_factor=float(rows),
    )
    output = ClassOutput('softmax', num_classes=3, background=True)
    return DistilledHead(samples, output, [student], prefix, scale)


def compute(distill_terms, heads, every=False):
    return distill_terms(heads, CLASSES, ([], ()), MODELS, every)


def test_values_carry_the_prefix_and_the_scale_of_their_head():
    distill_terms = terms()
    first, second = head('s0.'), head('s1.', scale=0.5, seed=1)
    values = compute(distill_terms, [first, second])
    assert set(values) == {
        f's{stage}.{name}'
        for stage in range(2)
        for name in ('loss_rank', 'distill_tau', 'distill_top1')
    }
    loss = distill_terms.losses['loss_rank']
    for prefix, part in (('s0.', first), ('s1.', second)):
        expected = part.scale * loss(part.samples.student, part.samples.teacher)
        torch.testing.assert_close(values[f'{prefix}loss_rank'], expected)


def test_a_factor_multiplies_its_entry_alone():
    distill_terms = terms(dict(loss_rank=RANK, loss_kd=KD))
    before = compute(distill_terms, [head()])
    distill_terms.factors['loss_rank'] = 0.25
    after = compute(distill_terms, [head()])
    torch.testing.assert_close(after['loss_rank'], 0.25 * before['loss_rank'])
    assert torch.equal(after['loss_kd'], before['loss_kd'])


def test_an_entry_with_factor_0_is_computed_only_where_all_are():
    calls = []
    distill_terms = terms()
    distill_terms.losses['loss_rank'].register_forward_hook(lambda *_: calls.append(1))
    distill_terms.factors['loss_rank'] = 0.0
    for every, count in ((False, 0), (True, 1)):
        assert compute(distill_terms, [head()], every)['loss_rank'] == 0
        assert len(calls) == count


def test_an_idle_entry_keeps_the_graph_of_a_head_without_rows():
    distill_terms = terms()
    distill_terms.factors['loss_rank'] = 0.0
    empty = head(rows=0)
    compute(distill_terms, [empty])['loss_rank'].backward()
    assert empty.samples.student.grad.shape == (0, 4)


def test_foreground_leaves_the_background_column_out():
    part = head()
    values = compute(terms(channels='foreground'), [part])
    columns = part.samples.student[:, :3], part.samples.teacher[:, :3]
    torch.testing.assert_close(values['loss_rank'], terms().losses['loss_rank'](*columns))
    values['loss_rank'].backward()
    assert not part.samples.student.grad[:, 3].any()
    with pytest.raises(ValueError, match="channels must be 'all' or 'foreground'"):
        terms(channels='background')


def test_one_column_is_refused():
    one = ClassAlignment([0], [0], 1, 1)
    output = ClassOutput('softmax', num_classes=1, background=True)
    terms().check_columns(one, output)
    with pytest.raises(ValueError, match="channels='foreground' leaves one column"):
        terms(channels='foreground').check_columns(one, output)


def test_losses_are_added_under_names_that_are_free():
    value = torch.ones(())
    student = MODELS['student']
    losses = dict(loss_cls=value)
    assert terms().add_to(losses, dict(loss_rank=value), student).keys() == {
        'loss_cls',
        'loss_rank',
    }
    with pytest.raises(ValueError, match=r"distill_losses has loss_cls, a name .* student's own"):
        terms().add_to(losses, dict(loss_cls=value), student)
    mimic = dict(loss_cls=dict(type='PKDLoss'))
    with pytest.raises(ValueError, match='distill_features has loss_cls'):
        terms(features=mimic).add_to(losses, dict(loss_cls=value), student)


def test_a_name_in_both_arguments_is_refused():
    with pytest.raises(ValueError, match='loss_rank is both in distill_losses and'):
        terms(features=dict(loss_rank=dict(type='PKDLoss')))


def test_nan_of_the_teacher_stops_or_skips_that_head_alone():
    broken, sound = head('s0.'), head('s1.', seed=1)
    broken.samples.teacher[2, 1] = torch.nan
    fault = "1 of 24 values of the teacher's logits behind s0.loss_rank are not finite"
    with pytest.raises(FloatingPointError, match=fault):
        compute(terms(), [broken, sound])

    distill_terms = terms(on_nonfinite='skip')
    values = compute(distill_terms, [broken, sound])
    assert values['s0.loss_rank'] == 0 and 's0.distill_tau' not in values
    expected = compute(terms(), [sound])
    assert all(torch.equal(values[name], value) for name, value in expected.items())
    values['s0.loss_rank'].backward()
    assert not broken.samples.student.grad.any()
    settled = distill_terms.add_to({}, values, MODELS['student'])
    assert settled['distill_nonfinite'] == 1
    assert settled['s1.loss_rank'] > 0
