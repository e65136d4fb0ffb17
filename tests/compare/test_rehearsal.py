from __future__ import annotations

import pytest
from mmengine.config import Config

from mmdet_kdrank.compare.rehearsal import rehearse
from tests.datasets.made import PIPELINE, Data

META = dict(meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))
NO_META = dict(PIPELINE[2], meta_keys=())


@pytest.fixture
def data(tmp_path):
    data = Data(tmp_path)
    data.set('test', pipeline=[*PIPELINE[:2], dict(PIPELINE[2], **META)])
    return data


def config(data):
    content = data.read()
    content.test_dataloader.update(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False), num_workers=1
    )
    return Config(content.to_dict())


def test_a_test_set_that_can_be_evaluated(data):
    rehearse('kd', config(data))


@pytest.mark.parametrize('named', ['img_{}'.format, '{:06d}'.format, (20231115123456780).__add__])
def test_ids_of_any_kind(data, named):
    def rename(content):
        for entry, key in (('images', 'id'), ('annotations', 'image_id')):
            for one in content[entry]:
                one[key] = named(one[key])

    data.change('test', rename)
    rehearse('kd', config(data))


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (
            lambda data: data.set('test', pipeline=[*PIPELINE[:2], dict(type='NoSuchTransform')]),
            'kd: evaluating its test set: .*NoSuchTransform.* Correct test_dataloader',
        ),
        (
            lambda data: data.set(
                'test', pipeline=[*PIPELINE[:2], dict(PIPELINE[2], meta_keys=())]
            ),
            'kd: evaluating its test set: .*img_id.* Correct test_dataloader',
        ),
        (lambda data: data.each('test', iscrowd=1), 'holds no object of the classes cat, dog'),
        (lambda data: data.each('test', iscrowd=None), 'no number as iscrowd.*Set iscrowd to 0'),
    ],
)
def test_what_would_fail_after_the_training_fails_before(data, spoil, message):
    spoil(data)
    with pytest.raises((ValueError, KeyError), match=message):
        rehearse('kd', config(data))
