"""Faulty teacher checkpoints, loaded as training loads them."""

from __future__ import annotations

import os
from collections import OrderedDict

import pytest
import torch
from mmdet.utils import register_all_modules

from mmdet_kdrank.teachers.teacher import TeacherSource
from tests.detectors import RETINA, save_teacher, small_config
from tests.faults.table import Fault

CONFIG = small_config(RETINA)
BIAS = 'bbox_head.retina_cls.bias'


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    register_all_modules(init_default_scope=True)
    return save_teacher(CONFIG, tmp_path_factory.mktemp('teacher') / 'teacher.pth')


class Command:
    def __reduce__(self):
        return os.system, ('touch created-by-a-checkpoint',)


def rewritten(change, message, kind=RuntimeError):
    """A good checkpoint with its content changed, or replaced by what ``change`` returns."""

    def make(good, folder):
        content = torch.load(good)
        replaced = change(content)
        content = content if replaced is None else replaced
        torch.save(content, folder / 'faulty.pth')
        TeacherSource(CONFIG, str(folder / 'faulty.pth')).load()

    return Fault(make, message, kind)


def written(data, message, name='faulty.pth'):
    """A file of these bytes; a function takes those of a good one."""

    def make(good, folder):
        with open(good, 'rb') as stream:
            whole = stream.read()
        (folder / name).write_bytes(data(whole) if callable(data) else data)
        TeacherSource(CONFIG, str(folder / name)).load()

    return Fault(make, message, RuntimeError)


def named(checkpoint, message, kind=RuntimeError):
    return Fault(lambda good, folder: TeacherSource(CONFIG, checkpoint).load(), message, kind)


def state(**changes):
    """Changes of the state dict by dotted key; None takes one away."""

    def change(content):
        for key, tensor in changes.items():
            key = key.replace('__', '.')
            if tensor is None:
                del content['state_dict'][key]
            else:
                content['state_dict'][key] = tensor

    return change


CHECKPOINT_FAULTS = {
    'absent': named('no/such.pth', 'no/such.pth does not exist. Correct the path'),
    'a folder': named('/tmp', 'Checkpoint /tmp is a folder. Correct the path'),
    'a URL without a file': named('https://example.invalid', 'names no file. Give the URL'),
    'an unknown scheme': named('ftp://example.invalid/t.pth', 'ftp://example.invalid/t.pth'),
    'empty': written(b'', 'is empty.*Fetch it again'),
    'text': written(b'Hello, world. ' * 9, 'cannot be read.*Fetch or write it again'),
    'HTML': written(b'<!DOCTYPE html><p>Sign in', 'HTML or XML page.*redirected.*Open the address'),
    'XML': written(b'<?xml version="1.0"?><Error/>', 'is an HTML or XML page.*Open the address'),
    'a Git LFS pointer': written(b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
    'half': written(lambda whole: whole[: len(whole) // 2], 'is truncated.*Fetch or write it'),
    'without its last bytes': written(lambda whole: whole[:-30], 'is truncated.*Fetch'),
    'zeros in the middle': written(
        lambda whole: whole[:64] + bytes(4000) + whole[4064:], 'cannot be read.*Fetch or write'
    ),
    'safetensors that are none': written(
        b'\xff' * 40, 'faulty.safetensors.*(cannot be read|pip install)', 'faulty.safetensors'
    ),
    'code': rewritten(
        lambda content: content.update(hook=Command()),
        'could run code.*If you trust.*weights_only=False',
    ),
    'a module': rewritten(lambda content: torch.nn.ReLU(), 'holds more than data'),
    'a list': rewritten(lambda content: [1], 'holds a list, not a dict. Save'),
    'a tensor': rewritten(lambda content: torch.zeros(3), 'holds a Tensor, not a dict. Save'),
    'an empty dict': rewritten(lambda content: content.clear(), 'holds no weights.*Save'),
    'weights under another name': rewritten(
        lambda content: dict(model=content['state_dict'], epoch=3), "keys: 'model', 'epoch'.*Save"
    ),
    'an empty state dict': rewritten(
        lambda content: content.update(state_dict={}), 'holds no weights.*Save'
    ),
    'a number among the weights': rewritten(state(epoch=3), "'epoch' of type int.*Save"),
    'NaN': rewritten(
        state(bbox_head__retina_cls__bias=torch.full((45,), float('nan'))),
        f'NaN or infinity in {BIAS}.*use an earlier checkpoint',
    ),
    'infinity': rewritten(
        state(bbox_head__retina_cls__bias=torch.full((45,), float('-inf'))), 'NaN or infinity'
    ),
    'of MMDetection 1': rewritten(
        lambda content: content.update(meta=dict(mmdet_version='1.2.0')),
        'written by MMDetection 1.2.0.*upgrade_model_version.py',
    ),
    'classes by number': rewritten(
        lambda content: content.update(meta=dict(classes=[1, 2])), 'no list of names.*Correct'
    ),
    'classes as a count': rewritten(
        lambda content: content.update(meta=dict(dataset_meta=dict(CLASSES=5))), 'no list of names'
    ),
    'a missing key': rewritten(
        state(bbox_head__retina_cls__bias=None),
        rf'1 missing keys \({BIAS}\).*Give the config',
        ValueError,
    ),
    'a foreign key': rewritten(
        state(extra=torch.zeros(1)), r'1 unexpected keys \(extra\).*Give the config', ValueError
    ),
    'another number of classes': rewritten(
        state(bbox_head__retina_cls__bias=torch.zeros(9)), f'{BIAS}.*Give the config', ValueError
    ),
    'the backbone alone': rewritten(
        lambda content: OrderedDict(
            (key.removeprefix('backbone.'), value)
            for key, value in content['state_dict'].items()
            if key.startswith('backbone.')
        ),
        'missing keys.*unexpected keys.*Give the config',
        ValueError,
    ),
    "half of the keys are DDP's": rewritten(
        lambda content: content['state_dict'].update(
            {f'module.{BIAS}': content['state_dict'].pop(BIAS)}
        ),
        rf'missing keys \({BIAS}\).*unexpected keys \(module.{BIAS}\)',
        ValueError,
    ),
}


@pytest.mark.parametrize('name', CHECKPOINT_FAULTS)
def test_checkpoint_fault(name, good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CHECKPOINT_FAULTS[name].check(good, tmp_path)
    assert not (tmp_path / 'created-by-a-checkpoint').exists()
