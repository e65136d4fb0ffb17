"""Faulty arguments of the op, and what their messages advise."""

from __future__ import annotations

import pytest
import torch

from mmdet_kdrank.ops import grouped_kendall_tau, kendall_tau
from tests.faults.table import LEFT_OUT, each, fault

X = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
ORDERS = torch.arange(5)[None]
TWO = dict(student=X[:, :2], teacher=X[:, :2])
META = dict(student=X.to('meta'), teacher=X.to('meta'))


def tau(message, kind=ValueError, fix=None, **call):
    def act(**call):
        result = kendall_tau(**call)
        assert result.shape == call['student'].shape[:1]
        assert result.is_meta or result.isfinite().all()

    return fault(act, message, kind, {'student': X, 'teacher': X, **call}, fix)


def groups(message, kind=ValueError, fix=None, **call):
    def act(**call):
        assert grouped_kendall_tau(X, X, **call).isfinite().all()

    return fault(act, message, kind, {'orders': ORDERS, 'groups': 2, **call}, fix)


OP_FAULTS = {
    # kendall_tau
    'op: a list': tau(
        'student must be a tensor of logits, not list',
        TypeError,
        student=[[1.0, 2.0]],
        fix=dict(student=torch.tensor([[1.0, 2.0]]), teacher=X[:1, :2]),
    ),
    'op: teacher None': tau(
        'teacher must be a tensor', TypeError, teacher=None, fix=dict(teacher=X)
    ),
    'op: integers': tau(
        r'dtype torch.int64.*Pass student.float\(\)',
        TypeError,
        student=X.long(),
        fix=dict(student=X.long().float()),
    ),
    'op: complex': tau(
        r'dtype torch.complex64.*Pass student.float\(\)',
        TypeError,
        student=X.cfloat(),
        fix=dict(student=X.cfloat().float()),
    ),
    'op: a vector': tau(
        r'shape \(5,\).*Flatten.*; one sample alone is student\[None\]',
        student=X[0],
        teacher=X[0],
        fix=dict(student=X[0][None], teacher=X[0][None]),
    ),
    'op: maps': tau(
        r'shape \(3, 5, 2\).*Flatten',
        student=X[..., None].expand(3, 5, 2),
        fix=dict(
            student=X[..., None].expand(3, 5, 2).movedim(1, 2).flatten(0, 1),
            teacher=X[:1].expand(6, 5),
        ),
    ),
    'op: other N': tau(
        r'\(3, 5\) and teacher \(2, 5\).*common samples',
        teacher=X[:2],
        fix=dict(student=X[:2]),
    ),
    'op: other C': tau(
        r'\(3, 5\) and teacher \(3, 4\).*common classes',
        teacher=X[:, :4],
        fix=dict(student=X[:, :4]),
    ),
    'op: one class': tau('C = 1 columns.*at least 2', student=X[:, :1], teacher=X[:, :1], fix=TWO),
    'op: no class': tau('C = 0 columns.*at least 2', student=X[:, :0], teacher=X[:, :0], fix=TWO),
    'op: other device': tau(
        'student is on cpu and teacher on meta; move', teacher=X.to('meta'), fix=META
    ),
    'op: surrogate': tau(
        "surrogate='step' is unknown; choose one of.*tanh",
        surrogate='step',
        fix=each('surrogate', 'algebraic', 'atan', 'erf', 'sign', 'tanh'),
    ),
    'op: a misspelt surrogate': tau(
        r"surrogate='tahn' is unknown.*Did you mean tanh\?",
        surrogate='tahn',
        fix=dict(surrogate='tanh'),
    ),
    'op: backend': tau(
        "backend='gpu' is unknown; choose one of auto",
        backend='gpu',
        fix=each('backend', 'auto', 'chunked', 'reference'),
    ),
    'op: form': tau(
        "form='spearman' is unknown; choose one of cosine, kendall, product",
        form='spearman',
        fix=each('form', 'cosine', 'kendall', 'product'),
    ),
    'op: steepness 0': tau('steepness=0 must be a positive', steepness=0, fix=dict(steepness=1e-3)),
    'op: steepness < 0': tau(
        'steepness=-1 must be a positive', steepness=-1, fix=dict(steepness=1)
    ),
    'op: steepness nan': tau(
        'steepness=nan must be a positive', steepness=float('nan'), fix=dict(steepness=1.0)
    ),
    'op: steepness inf': tau(
        'steepness=inf must be a positive', steepness=float('inf'), fix=dict(steepness=1e6)
    ),
    'op: steepness a word': tau(
        "steepness='1' must be a positive", steepness='1', fix=dict(steepness=1)
    ),
    'op: eps 0': tau('eps=0 must be a positive', eps=0, form='cosine', fix=dict(eps=1e-6)),
    'op: cosine of two': tau(
        "form='cosine' on C = 2.*use form='kendall'", **TWO, form='cosine', fix=dict(form='kendall')
    ),
    'op: an exact product': tau(
        "form='product' has no.*leave out exact_teacher=True",
        form='product',
        exact_teacher=True,
        fix=dict(exact_teacher=LEFT_OUT),
    ),
    'op: mask of floats': tau(
        'mask must be a bool tensor, not torch.float32. Pass mask != 0',
        TypeError,
        mask=X,
        fix=dict(mask=X != 0),
    ),
    'op: mask a list': tau(
        r'mask must be a bool tensor, not list. Pass torch.tensor\(mask\) != 0',
        TypeError,
        mask=[[True] * 5] * 3,
        fix=dict(mask=torch.tensor([[True] * 5] * 3) != 0),
    ),
    'op: mask of a row': tau(
        r'mask has shape \(5,\).*Expand a mask',
        mask=X[0] > 0,
        fix=dict(mask=(X[0] > 0).expand(3, 5)),
    ),
    'op: backend cannot': tau(
        "backend='native' cannot compute this call",
        **META,
        backend='native',
        fix=each('backend', 'auto', 'chunked'),
    ),
    'op: backend without the surrogate': tau(
        "backend='native' cannot.*use backend='chunked'",
        surrogate='erf',
        backend='native',
        fix=dict(backend='chunked'),
    ),
    'op: backend without the form': tau(
        "backend='native' cannot.*use backend='chunked'",
        form='product',
        backend='native',
        fix=dict(backend='chunked'),
    ),
    # grouped_kendall_tau
    'groups: orders of floats': groups(
        r'orders has dtype.*pass orders.long\(\)',
        TypeError,
        orders=ORDERS.float(),
        fix=dict(orders=ORDERS.float().long()),
    ),
    'groups: orders too short': groups(
        r'orders has shape \(1, 4\); it must be \(K, 5\)',
        orders=ORDERS[:, :4],
        fix=dict(orders=ORDERS.expand(2, 5)),
    ),
    'groups: none': groups(
        'groups=0 must be a whole number of at least 1', groups=0, fix=dict(groups=1)
    ),
    'groups: too many': groups('3 groups of C = 5.*use at most 2', groups=3, fix=dict(groups=2)),
    'groups: cosine': groups(
        "form='cosine' is no mean.*Use form='kendall'", form='cosine', fix=dict(form='kendall')
    ),
}


@pytest.mark.parametrize('name', OP_FAULTS)
def test_op_fault(name):
    OP_FAULTS[name].check()


def test_every_message_is_followed():
    assert all(row.fixed for row in OP_FAULTS.values())
