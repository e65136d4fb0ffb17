import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize('name', ['ranking', 'confusion', 'image_scores', 'commands.output'])
def test_examples(name):
    results = doctest.testmod(import_module(f'mmdet_kdrank.analysis.{name}'))
    assert results.attempted and not results.failed
