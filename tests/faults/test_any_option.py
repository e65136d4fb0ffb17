"""Any value of any option: it is accepted, or refused in one paragraph."""

from __future__ import annotations

import pytest
from mmdet.models.detectors import BaseDetector, SingleStageDetector
from mmdet.registry import MODELS

from mmdet_kdrank.datasets.config_check import check_data
from mmdet_kdrank.errors import KDRankError
from tests.datasets.made import Data
from tests.faults.test_any_value import ABSENT, VALUES

EMPTY = {'absent', 'null', 'zero', 'empty'}
ANY = {*VALUES}
# What is accepted. MMDetection itself refuses some of it, when it builds the data set.
OF_DATA = {
    'train_dataloader': EMPTY | {'dict'},
    'train_dataloader.dataset': ANY,
    'train_dataloader.dataset.type': ANY,
    'train_dataloader.dataset.ann_file': set(),
    'train_dataloader.dataset.data_root': set(),
    'train_dataloader.dataset.data_prefix': set(),
    'train_dataloader.dataset.data_prefix.img': set(),
    'train_dataloader.dataset.metainfo': set(),
    'train_dataloader.dataset.metainfo.classes': set(),
    'train_dataloader.dataset.filter_cfg': {'absent', 'null', 'dict'},
    'train_dataloader.dataset.filter_cfg.min_size': {
        *('absent', 'true', 'zero', 'one', 'negative', 'fraction'),
    },
    'train_dataloader.dataset.indices': {
        *('absent', 'null', 'true', 'one', 'negative', 'large', 'list'),
    },
    'train_dataloader.dataset.test_mode': ANY,
    'train_dataloader.dataset.pipeline.0': ANY,
    'val_dataloader': EMPTY | {'dict'},
    'val_evaluator': EMPTY | {'dict'},
    'val_evaluator.type': ANY,
    'val_evaluator.ann_file': EMPTY,
    'val_evaluator.metric': {
        *('absent', 'empty', 'numeral', 'word', 'list', 'nested', 'dict'),
    },
}
OF_MODEL = {
    'student_type': {'absent', 'null'},
    'channels': {'absent'},
    'on_nonfinite': {'absent'},
    'priors': {'absent'},
    'distill_features': EMPTY,
    'distill_losses': set(),
    'distill_losses.loss_rank': {'absent'},
    'distill_losses.loss_rank.type': set(),
    'distill_losses.loss_rank.form': {'absent'},
    'distill_losses.loss_rank.channels': {'absent'},
    'distill_losses.loss_rank.class_groups': {'absent', 'true', 'one', 'large'},
    'distill_losses.loss_rank.loss_weight': {
        *('absent', 'true', 'zero', 'one', 'negative', 'fraction', 'large'),
    },
    'distill_losses.loss_rank.steepness': {'absent', 'null', 'true', 'one', 'fraction', 'large'},
    'selector': EMPTY,
    'selector.type': set(),
    'selector.k': {'absent', 'true', 'one', 'large'},
    'teacher': set(),
    'teacher.config': {'empty', 'numeral', 'word', 'dict'},
    'teacher.checkpoint': {'empty', 'numeral', 'word'},
    'teacher.verify': {'absent', 'null', 'true', 'zero'},
}


@MODELS.register_module(force=True)
class BareDetector(SingleStageDetector):
    """Is built in no time."""

    def __init__(self, **_):
        BaseDetector.__init__(self)


def changed(config, place, value):
    *path, last = place.split('.')
    entry = config
    for key in path:
        entry = entry[int(key) if isinstance(entry, list) else key]
    last = int(last) if isinstance(entry, list) else last
    if value is not ABSENT:
        entry[last] = value
    elif isinstance(entry, list) or last in entry:
        entry.pop(last)
    return config


def accepted(act):
    """Run it; False if it was refused in one paragraph."""
    try:
        act()
    except KDRankError as error:
        assert '\n' not in str(error) and len(str(error)) > 40, error
        return False
    return True


@pytest.mark.parametrize('place', OF_DATA)
@pytest.mark.filterwarnings('ignore')
def test_an_option_of_the_data(tmp_path, place):
    data = Data(tmp_path)
    taken = {
        name
        for name, value in VALUES.items()
        if accepted(lambda value=value: check_data(changed(data.read(), place, value)))
    }
    assert taken == OF_DATA[place]


def model():
    return dict(
        type='DistillSingleStageDetector',
        student_type='BareDetector',
        teacher=dict(config='teacher.py', checkpoint='teacher.pth'),
        selector=dict(type='TopkSamples', k=3),
        distill_losses=dict(loss_rank=dict(type='KendallRankLoss', loss_weight=1.0)),
    )


@pytest.mark.parametrize('place', OF_MODEL)
@pytest.mark.filterwarnings('ignore')
def test_an_option_of_the_distiller(place, monkeypatch):
    # Without student_type it is built over MMDetection's base class.
    monkeypatch.setattr(SingleStageDetector, '__init__', BareDetector.__init__)
    taken = {
        name
        for name, value in VALUES.items()
        if accepted(lambda value=value: MODELS.build(changed(model(), place, value)))
    }
    assert taken == OF_MODEL[place]
