"""Faulty arguments of the losses and the selectors, and what their messages advise."""

from __future__ import annotations

import pytest
import torch
from mmdet.registry import MODELS, TASK_UTILS

from mmdet_kdrank.structures.samples import DistillSamples
from tests.faults.table import LEFT_OUT, each, fault

X = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 4])


def trained(config, pred=X, soft_label=X, **call):
    """Build a loss and let it give a gradient; labels go where they belong, unless they do not."""
    loss = MODELS.build(config)
    labels = dict(labels=LABELS[: len(pred)]) if loss.requires_labels else {}
    leaf = pred.clone().requires_grad_(pred.is_floating_point())
    loss(leaf, soft_label, **{**labels, **call}).sum().backward()
    assert leaf.grad.isfinite().all()


def loss(name, message, kind=ValueError, fix=None, **arguments):
    def act(**arguments):
        trained(arguments)

    return fault(act, message, kind, {'type': name, **arguments}, fix)


def value(name, message, kind=ValueError, fix=None, **call):
    def act(build=None, **call):
        trained(dict(type=name, **(build or {})), **call)

    return fault(act, message, kind, call, fix)


def selected(message, fix=None, **selector):
    def act(**selector):
        samples = DistillSamples(X, X, torch.zeros(3, dtype=torch.long), 'softmax', True, 4)
        assert len(TASK_UTILS.build(selector)(samples))

    return fault(act, message, ValueError, selector, fix)


FORMS = each('form', 'cosine', 'kendall', 'product')
PHIS = ('algebraic', 'atan', 'erf', 'tanh')
BACKENDS = each('backend', 'auto', 'chunked', 'reference')
OTHER_SELECTORS = each('type', 'TopkSamples', 'ScoreWeightedSamples')

ARGUMENT_FAULTS = {
    # The losses' options
    'rank: sign': loss(
        'KendallRankLoss',
        "surrogate='sign' is unknown; choose",
        surrogate='sign',
        fix=each('surrogate', *PHIS),
    ),
    'rank: form': loss('KendallRankLoss', "form='x' is unknown; choose", form='x', fix=FORMS),
    'rank: backend': loss(
        'KendallRankLoss', "backend='x' is unknown; choose", backend='x', fix=BACKENDS
    ),
    'rank: steepness': loss(
        'KendallRankLoss', 'steepness=0 must be a', steepness=0, fix=dict(steepness=1)
    ),
    'rank: eps': loss('KendallRankLoss', 'eps=-1 must be a positive', eps=-1, fix=dict(eps=1)),
    'rank: variance': loss(
        'KendallRankLoss',
        'standardize_eps=0 must be',
        standardize_eps=0,
        standardize=True,
        fix=dict(standardize_eps=1e-6),
    ),
    'rank: groups': loss(
        'KendallRankLoss', 'class_groups=1.5 must be', class_groups=1.5, fix=dict(class_groups=2)
    ),
    'rank: groups of the cosine': loss(
        'KendallRankLoss',
        "class_groups=2 with form='cosine'.*Use form='kendall', or class_groups=1",
        class_groups=2,
        form='cosine',
        fix=(dict(form='kendall'), dict(class_groups=1)),
    ),
    'rank: an exact product': loss(
        'KendallRankLoss',
        "form='product' has no.*Leave out exact_teacher",
        form='product',
        exact_teacher=True,
        fix=dict(exact_teacher=LEFT_OUT),
    ),
    'rank: a preset and a steepness': loss(
        'KendallRankLoss',
        "preset='paper' contradicts steepness=2. Leave out one",
        preset='paper',
        steepness=2,
        fix=each('steepness', LEFT_OUT) + each('preset', LEFT_OUT),
    ),
    'rank: part of all channels': loss(
        'KendallRankLoss',
        "keep=0.5 has no meaning.*Leave it out, or set channels='top' or 'bottom'",
        keep=0.5,
        fix=(dict(keep=LEFT_OUT), *each('channels', 'top', 'bottom')),
    ),
    'rank: too few channels': loss(
        'KendallRankLoss',
        'keep=1 with.*share between 0 and 1, say 0.1, or a whole.*at least 2',
        channels='top',
        keep=1,
        fix=each('keep', 0.1, 2),
    ),
    'rank: too many channels': loss(
        'KendallRankLoss',
        'keeps 6 channels and a row has 5.*Set keep to at most that',
        channels='top',
        keep=6,
        fix=dict(keep=5),
    ),
    'rank: reduction': loss(
        'KendallRankLoss',
        "reduction='avg' is unknown; choose one of mean, none, sum",
        reduction='avg',
        fix=each('reduction', 'mean', 'none', 'sum'),
    ),
    'rank: weight nan': loss(
        'KendallRankLoss',
        'loss_weight=nan must be a finite',
        loss_weight=float('nan'),
        fix=dict(loss_weight=0.0),
    ),
    'rank: weight a word': loss(
        'KendallRankLoss',
        "loss_weight='1' must be a finite",
        loss_weight='1',
        fix=dict(loss_weight=1),
    ),
    'DKD: temperature': loss(
        'DKDLoss', 'temperature=0 must be a positive', temperature=0, fix=dict(temperature=1)
    ),
    'DKD: alpha': loss(
        'DKDLoss', "alpha='a' must be a finite number", alpha='a', fix=dict(alpha=-1)
    ),
    'NKD: temperature': loss(
        'NKDLoss', 'temperature=-2 must be a positive', temperature=-2, fix=dict(temperature=2)
    ),
    'NKD: gamma': loss(
        'NKDLoss', 'gamma=None must be a finite number', gamma=None, fix=dict(gamma=0)
    ),
    'DIST: activation': loss(
        'DISTLoss',
        "activation='relu' is unknown; choose one of sigmoid, softmax",
        activation='relu',
        fix=each('activation', 'sigmoid', 'softmax'),
    ),
    'DIST: beta': loss(
        'DISTLoss', 'beta=inf must be a finite number', beta=float('inf'), fix=dict(beta=1)
    ),
    'binary: temperature': loss(
        'BinaryKDLoss',
        "temperature='T' must be a positive",
        temperature='T',
        fix=dict(temperature=1),
    ),
    'focal: beta 0': loss(
        'QualityFocalKDLoss',
        'beta=0 must be at least 1; for 0, use BinaryKDLoss',
        beta=0,
        fix=(dict(beta=1), dict(type='BinaryKDLoss', beta=LEFT_OUT)),
    ),
    'focal: beta a word': loss(
        'QualityFocalKDLoss', "beta='x' must be a finite", beta='x', fix=dict(beta=1)
    ),
    'LSKD: eps': loss(
        'LSKDLoss', 'eps=0 must be a positive', eps=0, loss=dict(type='DKDLoss'), fix=dict(eps=1e-3)
    ),
    # Calling them
    'loss: shapes': value(
        'KendallRankLoss',
        r'pred has shape \(3, 5\).*soft_label \(2, 5\).*common samples',
        soft_label=X[:2],
        fix=dict(pred=X[:2]),
    ),
    'loss: integers': value(
        'LogitMSELoss',
        r'pred has dtype torch.int64.*Pass pred.float\(\)',
        TypeError,
        pred=X.long(),
        fix=dict(pred=X.long().float()),
    ),
    'loss: one class': value(
        'DISTLoss',
        'C = 1.*at least 2',
        pred=X[:, :1],
        soft_label=X[:, :1],
        fix=dict(pred=X[:, :2], soft_label=X[:, :2]),
    ),
    'loss: no class': value(
        'LogitMSELoss',
        'C = 0.*at least 1',
        pred=X[:, :0],
        soft_label=X[:, :0],
        fix=dict(pred=X[:, :1], soft_label=X[:, :1]),
    ),
    'loss: weight a row': value(
        'BinaryKDLoss',
        r'weight has shape \(3, 5\).*must be \(3,\)',
        weight=X.abs(),
        fix=dict(weight=torch.ones(3)),
    ),
    'loss: reduction': value(
        'DISTLoss',
        "reduction_override='max' is unknown",
        reduction_override='max',
        fix=each('reduction_override', 'mean', 'none', 'sum'),
    ),
    'loss: no labels': value(
        'DKDLoss',
        'labels were not passed. Pass labels if and only if',
        labels=None,
        fix=dict(labels=LABELS),
    ),
    'loss: labels': value(
        'LogitMSELoss',
        'labels were passed. Pass labels if and only if',
        labels=LABELS,
        fix=dict(labels=LEFT_OUT),
    ),
    'loss: other labels': value(
        'NKDLoss',
        r'labels have shape \(2,\).*must be \(3,\)',
        labels=LABELS[:2],
        fix=dict(labels=LABELS),
    ),
    'loss: no pair without the target': value(
        'KendallRankLoss',
        'has 1 channels to choose from.*at least 2. Leave out without_target',
        build=dict(without_target=True),
        pred=X[:, :2],
        soft_label=X[:, :2],
        fix=dict(build=LEFT_OUT),
    ),
    'loss: a share of two channels by the cosine': value(
        'KendallRankLoss',
        "has 2 channels to choose from.*at least 3. Use form='kendall'",
        build=dict(channels='top', keep=0.9, form='cosine'),
        pred=X[:, :2],
        soft_label=X[:, :2],
        fix=dict(build=dict(channels='top', keep=0.9, form='kendall')),
    ),
    # Selectors
    'selector: k 0': selected('k=0 must be a whole number', type='TopkSamples', k=0, fix=dict(k=1)),
    'selector: k a fraction': selected(
        'k=0.5 must be a whole', type='TopkSamples', k=0.5, fix=dict(k=1)
    ),
    'selector: k a word': selected(
        "k='all' must be a whole", type='TopkSamples', k='all', fix=dict(k=1000)
    ),
    'selector: no labels': selected(
        "labels of.*'TopkSamples'. or 'ScoreWeightedSamples'",
        type='PositiveSamples',
        fix=OTHER_SELECTORS,
    ),
    'selector: no weights': selected(
        "AllSamples weighs.*'TopkSamples'. or 'ScoreWeightedSamples'",
        type='AllSamples',
        fix=OTHER_SELECTORS,
    ),
}


@pytest.mark.parametrize('name', ARGUMENT_FAULTS)
def test_argument_fault(name):
    ARGUMENT_FAULTS[name].check()


def test_every_message_is_followed():
    assert all(row.fixed for row in ARGUMENT_FAULTS.values())
