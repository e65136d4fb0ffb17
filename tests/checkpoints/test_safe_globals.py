"""The stand-ins are tested through pickles, as files hold them; tests/pickles.py builds these."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmdet_kdrank.checkpoints.loading import load_checkpoint
from mmdet_kdrank.checkpoints.restricted_pickle import restricted_pickle
from mmdet_kdrank.checkpoints.safe_globals import (
    allowed_names,
    empty_array,
    history_statistic,
    latin1,
    no_bytes,
    number,
)
from mmdet_kdrank.checkpoints.stand_ins import (
    StoredArray,
    StoredDtype,
    StoredHistoryBuffer,
    number_dtype,
)
from tests.pickles import SCALAR, Reduced, array

pytestmark = pytest.mark.filterwarnings('ignore')
KINDS = '?bBhHiIlLqQefd'


def read(value):
    """A value after a round through a pickle and the allow-list."""
    content = pickle.dumps(value, protocol=2)
    return restricted_pickle(allowed_names()).load(io.BytesIO(content))


@pytest.fixture
def loaded(tmp_path):
    def through_file(value):
        torch.save(dict(value=value), tmp_path / 'x.pth')
        return load_checkpoint(tmp_path / 'x.pth')['value']

    return through_file


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('order', '<>')
def test_arrays_and_scalars_of_numbers(kind, order, loaded):
    dtype = np.dtype(kind).newbyteorder(order)
    values = (np.arange(6).reshape(2, 3) % 2).astype(dtype)
    for value in (values, np.asfortranarray(values), values[:, 1], values[0, 0], values[:0]):
        restored, expected = loaded(value), pickle.loads(pickle.dumps(value, 2))
        assert restored.dtype == expected.dtype and restored.shape == expected.shape
        np.testing.assert_array_equal(restored, expected)
    assert type(loaded(values[0, 0])) is type(pickle.loads(pickle.dumps(values[0, 0], 2)))


def test_a_big_array_keeps_its_values(loaded):
    """numpy takes over the memory of its bytes from some size on."""
    values = np.random.default_rng(0).normal(size=(300, 7))
    np.testing.assert_array_equal(loaded(values), values)


def test_an_array_works_as_a_plain_one_and_is_saved_as_one(loaded, tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    restored = loaded(values)
    assert isinstance(restored, np.ndarray)
    np.testing.assert_array_equal(
        np.append(restored, 1) + restored.sum(), np.append(values, 1) + 15
    )
    np.testing.assert_array_equal(copy.deepcopy(restored)[1], values[1])
    assert torch.from_numpy(restored).tolist() == values.tolist()
    restored[0, 0] = 7
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for part in (restored, restored[:, 1]):
            content = pickle.dumps(part, protocol)
            assert b'mmdet_kdrank' not in content
            again = pickle.loads(content)
            assert type(again) is np.ndarray and again.tolist() == part.tolist()
    torch.save(restored, tmp_path / 'again.pth')
    assert b'mmdet_kdrank' not in (tmp_path / 'again.pth').read_bytes()
    assert type(torch.load(tmp_path / 'again.pth', weights_only=False)) is np.ndarray


def test_a_dtype_on_its_own(loaded):
    restored = loaded(np.dtype('>f4'))
    assert np.dtype(restored.dtype) == np.dtype('>f4')
    assert pickle.loads(pickle.dumps(restored)) == np.dtype('>f4')


def test_a_log_buffer_is_a_plain_one(loaded):
    written = HistoryBuffer([1.0, 2.0, 4.0], [1, 1, 2])
    restored = loaded(written)
    assert type(restored) is HistoryBuffer
    assert [type(data) for data in restored.data] == 2 * [np.ndarray]
    for name in ('mean', 'min', 'max', 'current'):
        assert restored.statistics(name) == written.statistics(name)
    restored.update(3.0)
    assert restored.data[0].tolist() == [1, 2, 4, 3]
    assert type(loaded(restored)) is HistoryBuffer


def test_a_log_buffer_changes_nothing_beyond_itself(loaded):
    before = dict(HistoryBuffer([], [])._statistics_methods)
    written = HistoryBuffer([1.0], [1])
    written._statistics_methods, written.update = dict(mean='min'), 'no method'
    restored = loaded(written)
    assert HistoryBuffer._statistics_methods == before
    assert restored.mean() == 1
    restored.update(2.0)


@pytest.mark.parametrize(
    'state',
    [
        dict(_log_history=[1], _count_history=[1], max_length=5),
        dict(_log_history=np.ones(1), _count_history=dict(), max_length=5),
        dict(_log_history=np.ones(1), _count_history=np.ones(1), max_length='5'),
    ],
)
def test_a_log_buffer_of_anything_else_is_refused(state):
    with pytest.raises(pickle.UnpicklingError, match='refused: a log buffer'):
        StoredHistoryBuffer.__new__(StoredHistoryBuffer).__setstate__(state)


@pytest.mark.parametrize(
    'kind', ['O', 'V8', 'U4', 'S8', 'M8', 'm8', 'c8', b'f8', 7, [], np.ones(2)]
)
def test_other_dtypes_are_refused(kind):
    with pytest.raises(pickle.UnpicklingError, match='refused: a dtype'):
        StoredDtype(kind)


@pytest.mark.parametrize('state', [None, (3, 'x'), (3, 7), [3, '<']])
def test_a_dtype_without_a_byte_order_is_refused(state):
    with pytest.raises(pickle.UnpicklingError, match='refused: the state of a dtype'):
        StoredDtype('f8').__setstate__(state)


def test_the_state_of_a_dtype_gives_its_byte_order_alone():
    # As an object, with fields, and with a size of its own.
    forged = (3, '>', (np.dtype('O'), (2,)), ('a',), {'a': (np.dtype('O'), 0)}, 16, 8, 63)
    kind = StoredDtype('f8')
    kind.__setstate__(forged)
    real = np.dtype('f8', False, True)
    real.__setstate__(forged)
    assert real.hasobject
    for restored in (number_dtype(kind), number_dtype(real)):
        assert restored == np.dtype('>f8') and not restored.flags and restored.itemsize == 8
        assert restored.fields is restored.subdtype is None


@pytest.mark.parametrize('kind', [None, 'f8', np.float64, np.dtype('O'), np.dtype('f8,f8')])
def test_a_dtype_that_is_none(kind):
    with pytest.raises(pickle.UnpicklingError, match='refused: an array or scalar'):
        number_dtype(kind)


@pytest.mark.parametrize('call', [lambda: StoredArray((1,), 'O', b'A' * 8), StoredHistoryBuffer])
def test_calls_are_refused(call):
    with pytest.raises(pickle.UnpicklingError, match='refused: a call of'):
        call()


@pytest.mark.parametrize(
    ('shape', 'data'),
    [
        ((2,), bytes(8)),
        ((1,), bytes(16)),
        ((1 << 32, 1 << 32), b''),
        ((-1,), bytes(8)),
        ((1.0,), bytes(8)),
        ([1], bytes(8)),
        ((1,), ['an object']),
        ((1,), bytearray(8)),
    ],
)
def test_an_array_of_another_size_or_content_is_refused(shape, data):
    with pytest.raises(pickle.UnpicklingError, match='refused: an array'):
        empty_array(None, None, None).__setstate__((1, shape, StoredDtype('f8'), False, data))


def test_an_array_is_filled_once():
    """A tensor may share its memory by the second time."""
    restored = empty_array(None, None, None)
    state = (1, (1,), StoredDtype('f8'), False, bytes(8))
    restored.__setstate__(state)
    with pytest.raises(pickle.UnpicklingError, match='refused: an array filled twice'):
        restored.__setstate__(state)


@pytest.mark.parametrize(
    'value', [array(np.dtype('O'), ['x'], (1,)), np.array([None]), np.dtype('O')]
)
def test_objects_are_refused_through_a_pickle(value):
    with pytest.raises(pickle.UnpicklingError, match='refused: a dtype'):
        read(value)


def test_a_scalar_of_objects_is_refused_through_a_pickle():
    with pytest.raises(pickle.UnpicklingError, match='refused: a scalar of another size'):
        read(Reduced(SCALAR, np.dtype('f8'), b'1234'))


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
