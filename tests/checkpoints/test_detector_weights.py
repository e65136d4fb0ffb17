from __future__ import annotations

import logging
from collections import OrderedDict

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from mmdet_kdrank.checkpoints.detector_weights import detector_weights
from mmdet_kdrank.errors import CheckpointError


def weights(value=1.0):
    return OrderedDict({'backbone.weight': torch.full((2,), value), 'head.bias': torch.zeros(1)})


def wrapped(value=1.0):
    return OrderedDict((f'module.{key}', tensor) for key, tensor in weights(value).items())


@pytest.fixture
def logged(monkeypatch):
    messages = []
    logger = MMLogger.get_instance('weights')
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    'checkpoint',
    [
        weights(),
        wrapped(),
        dict(state_dict=weights()),
        dict(state_dict=wrapped(), meta=dict(epoch=12)),
        dict(state_dict=weights(), meta=None),
    ],
)
def test_plain_and_wrapped(checkpoint, logged):
    chosen = detector_weights(checkpoint, 'teacher.pth')
    assert chosen.keys() == weights().keys()
    assert chosen['backbone.weight'].tolist() == [1, 1]
    assert logged == []


def test_versions_of_modules_stay():
    """Modules upgrade old keys by them (deformable convolutions, batch norm)."""
    state = nn.BatchNorm2d(2).state_dict()
    assert detector_weights(dict(state_dict=state), 'teacher.pth')._metadata['']['version'] == 2


def test_a_key_that_begins_with_module_alone_stays():
    state = dict(weights(), **{'module.extra': torch.zeros(1)})
    assert detector_weights(state, 'teacher.pth').keys() == state.keys()


def test_ema_of_mmengine_is_in_state_dict(logged):
    """EMAHook swaps on saving: under ema_state_dict are the weights that are not averaged."""
    checkpoint = dict(
        meta=dict(mmengine_version='0.10.7'),
        state_dict=weights(7.0),
        ema_state_dict=OrderedDict(steps=torch.tensor(9), **wrapped(1.0)),
    )
    chosen = detector_weights(checkpoint, 'teacher.pth')
    assert chosen['backbone.weight'].tolist() == [7, 7]
    assert "EMA weights, which MMEngine's EMAHook stores as state_dict (teacher.pth)" in logged[0]


@pytest.mark.parametrize('counter', [{}, {'steps': torch.tensor(9)}, {'n_averaged': 9}])
def test_ema_of_others_comes_first(counter, logged):
    checkpoint = dict(state_dict=weights(1.0), ema_state_dict={**counter, **wrapped(7.0)})
    chosen = detector_weights(checkpoint, 'teacher.pth')
    assert chosen.keys() == weights().keys()
    assert chosen['backbone.weight'].tolist() == [7, 7]
    assert 'EMA weights, ema_state_dict (teacher.pth)' in logged[0]


def test_ema_of_mmdetection_2_was_swapped_too(logged):
    state = dict(weights(7.0), ema_backbone_weight=torch.ones(2), ema_head_bias=torch.ones(1))
    checkpoint = dict(state_dict=state, meta=dict(mmdet_version='2.28.0', CLASSES=('a', 'b')))
    chosen = detector_weights(checkpoint, 'teacher.pth')
    assert chosen.keys() == weights().keys()
    assert chosen['backbone.weight'].tolist() == [7, 7]
    assert "MMDetection 2's hook" in logged[0]


@pytest.mark.parametrize(
    ('checkpoint', 'fault'),
    [
        (dict(meta=dict(mmdet_version='1.2.0'), state_dict=weights()), 'upgrade_model_version.py'),
        ({}, r"holds no weights: it has no key 'state_dict'.*keys: none"),
        (dict(model=weights(), optimizer={}), "holds no weights.*keys: 'model', 'optimizer'"),
        (dict(state_dict={}), 'holds no weights'),
        (dict(state_dict=None), 'holds no weights'),
        (
            dict(state_dict=dict(weights(), extra=3)),
            "has an entry 'extra' of type int among its weights",
        ),
        (dict(state_dict={0: torch.zeros(1)}), 'has an entry 0 of type Tensor among its weights'),
        (dict(state_dict=weights(), ema_state_dict=3), 'holds no weights'),
        (dict(state_dict=weights(float('nan'))), 'NaN or infinity in backbone.weight'),
        (dict(state_dict=weights(float('inf'))), 'NaN or infinity in backbone.weight'),
    ],
)
def test_refused(checkpoint, fault):
    with pytest.raises(CheckpointError, match=f'teacher.pth.*{fault}'):
        detector_weights(checkpoint, 'teacher.pth')
