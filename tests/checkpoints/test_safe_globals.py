import pickle

import numpy as np
import pytest
from mmengine.logging import HistoryBuffer

from mmdet_kdrank.checkpoints.safe_globals import (
    allowed_names,
    history_statistic,
    latin1,
    no_bytes,
    number,
)
from mmdet_kdrank.checkpoints.stand_ins import StoredDtype, StoredHistoryBuffer


@pytest.mark.parametrize('name', ['min', 'max', 'current', 'mean'])
@pytest.mark.parametrize('owner', [HistoryBuffer, StoredHistoryBuffer])
def test_statistics_of_a_log_buffer_are_known_by_name(owner, name):
    assert history_statistic(owner, name) == name


@pytest.mark.parametrize(
    'owner, name',
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__globals__'),
        (HistoryBuffer, np.array(['mean', 'max'])),
        (HistoryBuffer([], []), 'mean'),
        (np, 'save'),
        ('', 'x'),
    ],
)
def test_everything_else_is_refused(owner, name):
    with pytest.raises(pickle.UnpicklingError, match='refused: getattr'):
        history_statistic(owner, name)


def test_encode_knows_latin1_only():
    assert latin1('\xff', 'latin1') == b'\xff'
    for text, encoding in (('x', 'zlib_codec'), (b'x', 'latin1'), ('x', np.array('latin1'))):
        with pytest.raises(pickle.UnpicklingError, match='refused: encoding'):
            latin1(text, encoding)


def test_bytes_are_empty():
    assert no_bytes() == b''
    with pytest.raises(TypeError):
        no_bytes(1 << 40)


def test_a_number_is_read_as_its_dtype():
    assert number(StoredDtype('i2'), b'\x01\x01') == np.int16(257)
    for data in (b'', b'\x01', b'\x01' * 4, [1], 'ab'):
        with pytest.raises(pickle.UnpicklingError, match='refused: a scalar'):
            number(StoredDtype('i2'), data)


def test_nothing_of_numpy_itself_is_allowed():
    """Its constructors and setters trust what they are given."""
    for name, value in allowed_names().items():
        module = getattr(value, '__module__', None)
        assert not str(module).startswith(('numpy', 'mmengine')), name
