from __future__ import annotations

import io
import os
import pickle
import types
from collections import Counter, OrderedDict
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from mmdet_kdrank.checkpoints.file_checks import record_sizes
from mmdet_kdrank.checkpoints.restricted_pickle import restricted_pickle
from mmdet_kdrank.checkpoints.safe_globals import allowed_names
from tests.pickles import change

NAMES = {
    **allowed_names(),
    'collections.OrderedDict': OrderedDict,
    'torch.Tensor': torch.Tensor,
    'torch.Size': torch.Size,
}
ONE = b'X\x01\x00\x00\x00aK\x01'


def run(content):
    return restricted_pickle(NAMES).load(io.BytesIO(b'\x80\x02' + content + b'.'))


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_data_is_read(protocol):
    data = dict(a=[1, 2.5, None, True], b=('x', {3}), c=Counter(a=2), d=OrderedDict(e=b'f'))
    names = {**NAMES, 'builtins.set': set}
    content = pickle.dumps(data, protocol)
    assert restricted_pickle(names).load(io.BytesIO(content)) == data


def test_a_state_dict_keeps_its_metadata():
    state = torch.nn.BatchNorm2d(1).state_dict()
    state.clear()
    content = io.BytesIO(pickle.dumps(state, 2))
    assert restricted_pickle(NAMES).load(content)._metadata == state._metadata


def test_other_names_are_refused():
    for name in (b'builtins\neval', b'__builtin__\neval', b'os\nsystem', b'numpy\nsave'):
        with pytest.raises(pickle.UnpicklingError, match='refused: .* is nothing a checkpoint'):
            run(b'c' + name + b'\n')


@pytest.mark.parametrize(
    ('content', 'target'),
    [
        # BUILD with (None, {'a': 1}) sets an attribute of what all of the process share.
        (b'ccollections\nCounter\nN}' + ONE + b's\x86b', 'type'),
        (b'c_codecs\nencode\nN}' + ONE + b's\x86b', 'function'),
        (b'ctorch\nTensor\n)RN}' + ONE + b's\x86b', 'Tensor'),
        (b'ctorch\nTensor\n(]K\x01at\x85RK\x00K\x01s', 'Tensor'),
        (b'ctorch\nTensor\n)R(K\x00K\x01u', 'Tensor'),
        (b'}K\x01a', 'dict'),
        (b'}(K\x01e', 'dict'),
        (b']K\x00K\x01s', 'list'),
        (b'}(K\x01\x90', 'dict'),
    ],
)
def test_changes_of_anything_but_containers_are_refused(content, target):
    with pytest.raises(pickle.UnpicklingError, match=f'refused: a change of a {target} '):
        run(content)
    assert not hasattr(Counter, 'a')


def test_extension_codes_are_no_way_around(monkeypatch):
    monkeypatch.setitem(pickle._inverted_registry, 7, ('os', 'system'))
    monkeypatch.setitem(pickle._extension_cache, 7, os.system)
    with pytest.raises(KeyError):
        run(b'\x82\x07')


@pytest.mark.filterwarnings('ignore:TypedStorage')
@pytest.mark.parametrize(
    'declared',
    [
        ('module', Counter, 'file.py', 'source'),
        ('storage', types.SimpleNamespace(dtype=types.SimpleNamespace(itemsize=0)), '0', 'cpu', 9),
        ('storage', torch.FloatStorage, '0', 'cpu', 5),
        ('storage', torch.FloatStorage, '0', 'cpu', -1),
        ('storage', torch.FloatStorage, '0', 'cpu', 1.0),
        ('storage', torch.FloatStorage, b'0', 'cpu', 4),
        ('storage', torch.UntypedStorage, '0', 'cpu', 17),
        'storage',
    ],
)
def test_a_storage_is_what_it_declares(declared):
    reader = restricted_pickle(NAMES, {'0': 16}.__getitem__).Unpickler(io.BytesIO(b''))
    reader.persistent_load = lambda storage: storage
    reader.stack = [declared]
    with pytest.raises(pickle.UnpicklingError, match='refused'):
        reader.load_binpersid()


@pytest.mark.parametrize('folder', ['/data/', '/DATA/', '/Data/'])
@pytest.mark.parametrize('numel', [4000, 1 << 40])
def test_no_tensor_reads_past_its_record(tmp_path, folder, numel):
    """torch finds a record whatever the case of its name, and before 2.6 checks no size."""
    whole, lie = tmp_path / 'whole.pth', tmp_path / 'lie.pth'
    torch.save(dict(weight=torch.arange(4.0)), whole)
    lie.write_bytes(whole.read_bytes())
    written = b'\x8a\x06' + numel.to_bytes(6, 'little')

    def lying(name, data):
        if name.endswith('data.pkl'):
            at = data.index(b'K\x04', data.index(b'cpu'))
            data = data[:at] + written + data[at + 2 :]
        return name.replace('/data/', folder), data

    change(lie, lying)
    names = {**torch._weights_only_unpickler._get_allowed_globals(), **NAMES}
    for path, refused in ((whole, False), (lie, True)):
        restricted = restricted_pickle(names, record_sizes(path))
        with pytest.raises(pickle.UnpicklingError, match='declares') if refused else nullcontext():
            loaded = torch.load(path, weights_only=False, pickle_module=restricted)
            assert loaded['weight'].tolist() == [0, 1, 2, 3]


def test_a_training_checkpoint_is_read(tmp_path):
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    for zipped in (True, False):
        file = tmp_path / f'{zipped}.pth'
        content = dict(model=layer.state_dict(), optimizer=optimizer.state_dict(), a=np.ones(2))
        torch.save(content, file, _use_new_zipfile_serialization=zipped)
        names = {**torch._weights_only_unpickler._get_allowed_globals(), **allowed_names()}
        restricted = restricted_pickle(names, record_sizes(file))
        loaded = torch.load(file, weights_only=False, pickle_module=restricted)
        torch.testing.assert_close(loaded['model'], content['model'])
        torch.testing.assert_close(loaded['optimizer'], content['optimizer'])
