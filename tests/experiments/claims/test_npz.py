import json

import numpy as np
import pytest
import torch

from experiments.claims.logits import random_logits
from experiments.claims.npz import read_logits, save_logits
from mmdet_kdrank.errors import DataError, MissingFileError
from tests.experiments.claims.sets import STORED


def test_what_is_saved_is_read(tmp_path):
    logits = random_logits(rows=4)
    save_logits(tmp_path / 'new' / 'logits.npz', [logits], {'source': 'test'})
    [read], made = read_logits(tmp_path / 'new' / 'logits.npz')
    assert made == {'source': 'test'}
    assert read.name == 'random'
    assert read.activation == 'softmax'
    torch.testing.assert_close(read.teacher, logits.teacher, rtol=1e-6, atol=1e-6)
    assert torch.equal(read.labels, logits.labels)


def test_the_stored_logits_say_where_they_come_from():
    sets, made = read_logits(STORED)
    assert [logits.name for logits in sets] == ['foreground', 'background']
    assert made['rows'] == {logits.name: len(logits.teacher) for logits in sets}
    assert 'faster-rcnn_r18w32_shapes.py' in made['teacher']
    assert (sets[0].labels < 27).all()
    assert (sets[1].labels == 27).all()


def test_files_that_are_not_of_this_kind_are_refused(tmp_path):
    with pytest.raises(MissingFileError, match='save-logits'):
        read_logits(tmp_path / 'none.npz')
    text = tmp_path / 'text.npz'
    text.write_text('no archive')
    with pytest.raises(DataError, match='text.npz'):
        read_logits(text)
    np.savez(tmp_path / 'other.npz', numbers=np.zeros(3))
    with pytest.raises(DataError, match='other.npz'):
        read_logits(tmp_path / 'other.npz')


@pytest.mark.parametrize('array', [np.zeros((2, 4)), np.full((2, 3), np.nan)])
def test_arrays_that_do_not_fit_are_refused(tmp_path, array):
    path = tmp_path / 'logits.npz'
    arrays = {'x.student': array, 'x.teacher': np.zeros((2, 3)), 'x.labels': np.zeros(2)}
    np.savez(path, activation='softmax', made=json.dumps({}), **arrays)
    with pytest.raises(DataError, match="'x'"):
        read_logits(path)
