"""The examples of every loss, found by walking the package."""

import doctest
from importlib import import_module
from pkgutil import iter_modules

import pytest

from mmdet_kdrank import losses


@pytest.mark.parametrize('name', [module.name for module in iter_modules(losses.__path__)])
def test_examples(name):
    results = doctest.testmod(import_module(f'mmdet_kdrank.losses.{name}'))
    assert results.attempted and not results.failed
