from __future__ import annotations

import runpy
import sys
from pathlib import Path

import mmdet
import pytest

from mmdet_kdrank.launch import TENSORBOARD, expand_tensorboard

TOOLS = Path(mmdet.__file__).parent / '.mim' / 'tools'


@pytest.mark.parametrize('arguments', [[], ['c.py'], ['c.py', '--cfg-options', 'a=1', '--amp']])
def test_nothing_changes_without_the_flag(arguments):
    assert expand_tensorboard(arguments) == arguments


@pytest.mark.parametrize(
    ('given', 'options'),
    [
        ([], {}),
        (['--cfg-options', 'a=1', 'b=x'], {'a': 1, 'b': 'x'}),
        (['--cfg-options=a=1'], {'a': 1}),
        (['--cfg-options', 'a=1', '--cfg-options', 'b=x'], {'a': 1, 'b': 'x'}),
    ],
)
@pytest.mark.parametrize('first', [True, False])
def test_the_flag_joins_other_options(given, options, first, monkeypatch):
    """As MMDetection's own parser reads the result."""
    arguments = ['--tensorboard', 'c.py', *given] if first else ['c.py', *given, '--tensorboard']
    monkeypatch.setattr(sys, 'argv', ['train.py', *expand_tensorboard(arguments)])
    parsed = runpy.run_path(str(TOOLS / 'train.py'))['parse_args']()
    key, _, value = TENSORBOARD.partition('=')
    assert parsed.cfg_options == {**options, key: value}
    assert parsed.config == 'c.py'
