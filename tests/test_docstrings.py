"""That the losses have examples in their docstrings, all of which pytest runs."""

import doctest
from importlib import import_module
from pkgutil import iter_modules

import pytest

from mmdet_kdrank import losses


@pytest.mark.parametrize('name', [module.name for module in iter_modules(losses.__path__)])
def test_module_has_an_example(name):
    module = import_module(f'mmdet_kdrank.losses.{name}')
    assert any(test.examples for test in doctest.DocTestFinder().find(module))
