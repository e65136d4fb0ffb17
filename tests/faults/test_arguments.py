"""Faulty arguments of the op, the losses and the selectors."""

from __future__ import annotations

import pytest
import torch
from mmdet.registry import MODELS, TASK_UTILS

from mmdet_kdrank.ops import grouped_kendall_tau, kendall_tau
from mmdet_kdrank.structures.samples import DistillSamples
from tests.faults.table import Fault

X = torch.randn(3, 5)
LABELS = torch.tensor([0, 1, 4])


def tau(message, kind=ValueError, student=X, teacher=X, **call):
    return Fault(lambda: kendall_tau(student, teacher, **call), message, kind)


def groups(message, kind=ValueError, orders=None, count=2, **call):
    orders = torch.arange(5)[None] if orders is None else orders
    return Fault(lambda: grouped_kendall_tau(X, X, orders, count, **call), message, kind)


def loss(name, message, kind=ValueError, **arguments):
    return Fault(lambda: MODELS.build(dict(type=name, **arguments)), message, kind)


def value(name, message, kind=ValueError, pred=X, soft_label=X, build=None, **call):
    return Fault(
        lambda: MODELS.build(dict(type=name, **(build or {})))(pred, soft_label, **call),
        message,
        kind,
    )


def selected(message, **selector):
    samples = DistillSamples(X, X, torch.zeros(3, dtype=torch.long), 'softmax', True, 4)
    return Fault(lambda: TASK_UTILS.build(selector)(samples), message)


ARGUMENT_FAULTS = {
    # kendall_tau
    'op: a list': tau('student must be a tensor of logits, not list', TypeError, [[1.0, 2.0]]),
    'op: teacher None': tau('teacher must be a tensor', TypeError, teacher=None),
    'op: integers': tau(
        r'dtype torch.int64.*Pass student.float\(\)', TypeError, X.long(), X.long()
    ),
    'op: complex': tau('dtype torch.complex64', TypeError, X.cfloat(), X.cfloat()),
    'op: a vector': tau(r'student has shape \(5,\).*Flatten', student=X[0], teacher=X[0]),
    'op: maps': tau(r'shape \(3, 5, 1\).*Flatten', student=X[..., None], teacher=X[..., None]),
    'op: other N': tau(r'\(3, 5\) and teacher \(2, 5\)', teacher=X[:2]),
    'op: other C': tau(r'\(3, 5\) and teacher \(3, 4\).*common classes', teacher=X[:, :4]),
    'op: one class': tau('C = 1 columns.*at least 2', student=X[:, :1], teacher=X[:, :1]),
    'op: no class': tau('C = 0 columns.*at least 2', student=X[:, :0], teacher=X[:, :0]),
    'op: other device': tau('student is on cpu and teacher on meta; move', teacher=X.to('meta')),
    'op: surrogate': tau("surrogate='step' is unknown; choose one of.*tanh", surrogate='step'),
    'op: backend': tau("backend='gpu' is unknown; choose one of auto", backend='gpu'),
    'op: form': tau("form='spearman' is unknown; choose one of cosine, kendall", form='spearman'),
    'op: steepness 0': tau('steepness=0 must be a positive', steepness=0),
    'op: steepness < 0': tau('steepness=-1 must be a positive', steepness=-1),
    'op: steepness nan': tau('steepness=nan must be a positive', steepness=float('nan')),
    'op: steepness inf': tau('steepness=inf must be a positive', steepness=float('inf')),
    'op: steepness a word': tau("steepness='1' must be a positive", steepness='1'),
    'op: eps 0': tau('eps=0 must be a positive', eps=0, form='cosine'),
    'op: cosine of two': tau(
        "form='cosine' on C = 2.*use form='kendall'",
        student=X[:, :2],
        teacher=X[:, :2],
        form='cosine',
    ),
    'op: mask of floats': tau('mask must be a bool tensor, not torch.float32', TypeError, mask=X),
    'op: mask a list': tau('mask must be a bool tensor, not list', TypeError, mask=[True] * 5),
    'op: mask of a row': tau(r'mask has shape \(5,\).*Expand a mask', mask=X[0] > 0),
    'op: backend cannot': tau(
        "backend='native' cannot compute this call",
        student=X.to('meta'),
        teacher=X.to('meta'),
        backend='native',
    ),
    # grouped_kendall_tau
    'groups: orders of floats': groups('orders', TypeError, orders=torch.arange(5.0)[None]),
    'groups: orders too short': groups('orders', orders=torch.arange(4)[None]),
    'groups: none': groups('groups=0 must be a whole number', count=0),
    'groups: cosine': groups("form='cosine'|form=", form='cosine'),
    # The losses' options
    'rank: sign': loss('KendallRankLoss', "surrogate='sign' is unknown", surrogate='sign'),
    'rank: form': loss('KendallRankLoss', "form='x' is unknown; choose", form='x'),
    'rank: backend': loss('KendallRankLoss', "backend='x' is unknown; choose", backend='x'),
    'rank: steepness': loss('KendallRankLoss', 'steepness=0 must be a', steepness=0),
    'rank: eps': loss('KendallRankLoss', 'eps=-1 must be a positive', eps=-1),
    'rank: variance': loss('KendallRankLoss', 'standardize_eps=0 must be', standardize_eps=0),
    'rank: groups': loss('KendallRankLoss', 'class_groups=1.5 must be', class_groups=1.5),
    'rank: groups of the cosine': loss(
        'KendallRankLoss', "class_groups=2 with form='cosine'.*Use", class_groups=2, form='cosine'
    ),
    'rank: reduction': loss('KendallRankLoss', "reduction='avg' is unknown", reduction='avg'),
    'rank: weight nan': loss(
        'KendallRankLoss', 'loss_weight=nan must be a finite', loss_weight=float('nan')
    ),
    'rank: weight a word': loss('KendallRankLoss', "loss_weight='1' must", loss_weight='1'),
    'DKD: temperature': loss('DKDLoss', 'temperature=0 must be a positive', temperature=0),
    'DKD: alpha': loss('DKDLoss', "alpha='a' must be a finite number", alpha='a'),
    'NKD: temperature': loss('NKDLoss', 'temperature=-2 must be a positive', temperature=-2),
    'NKD: gamma': loss('NKDLoss', 'gamma=None must be a finite number', gamma=None),
    'DIST: activation': loss('DISTLoss', "activation='relu' is unknown", activation='relu'),
    'DIST: beta': loss('DISTLoss', 'beta=inf must be a finite number', beta=float('inf')),
    'binary: temperature': loss('BinaryKDLoss', "temperature='T' must be", temperature='T'),
    'focal: beta 0': loss('QualityFocalKDLoss', 'beta=0 must be at least 1; for 0', beta=0),
    'focal: beta a word': loss('QualityFocalKDLoss', "beta='x' must be a finite", beta='x'),
    'LSKD: eps': loss('LSKDLoss', 'eps=0 must be a positive', eps=0, loss=dict(type='DKDLoss')),
    # Calling them
    'loss: shapes': value('KendallRankLoss', r'pred has shape \(3, 5\).*soft', soft_label=X[:2]),
    'loss: integers': value('LogitMSELoss', 'pred has dtype torch.int64', TypeError, X.long()),
    'loss: one class': value('DISTLoss', 'C = 1', pred=X[:, :1], soft_label=X[:, :1]),
    'loss: no class': value('LogitMSELoss', 'C = 0', pred=X[:, :0], soft_label=X[:, :0]),
    'loss: weight a row': value(
        'BinaryKDLoss', r'weight has shape \(3, 5\).*\(3,\)', weight=X.abs()
    ),
    'loss: reduction': value('DISTLoss', "reduction_override='max' is", reduction_override='max'),
    'loss: no labels': value('DKDLoss', 'labels were not passed. Pass labels if and only if'),
    'loss: labels': value('LogitMSELoss', 'labels were passed. Pass labels', labels=LABELS),
    'loss: other labels': value('NKDLoss', r'labels have shape \(2,\).*\(3,\)', labels=LABELS[:2]),
    # Selectors
    'selector: k 0': selected('k=0 must be a whole number', type='TopkSamples', k=0),
    'selector: k a fraction': selected('k=0.5 must be a whole', type='TopkSamples', k=0.5),
    'selector: k a word': selected("k='all' must be a whole", type='TopkSamples', k='all'),
    'selector: no labels': selected('labels of.*TopkSamples', type='PositiveSamples'),
    'selector: no weights': selected('AllSamples weighs.*TopkSamples', type='AllSamples'),
}


@pytest.mark.parametrize('name', ARGUMENT_FAULTS)
def test_argument_fault(name):
    ARGUMENT_FAULTS[name].check()
