"""That what users name in configs has examples in its docstring, all of which pytest runs."""

import doctest
from importlib import import_module
from inspect import isclass
from pkgutil import iter_modules

import pytest

from mmdet_kdrank import distillers, hooks, losses

CLASSES = [
    value
    for package in (losses, distillers, hooks)
    for value in map(vars(package).get, package.__all__)
    if isclass(value)
]


@pytest.mark.parametrize('cls', CLASSES)
def test_class_has_an_example(cls):
    assert doctest.DocTestParser().get_examples(cls.__doc__)


@pytest.mark.parametrize('name', [module.name for module in iter_modules(losses.__path__)])
def test_module_of_losses_has_an_example(name):
    module = import_module(f'mmdet_kdrank.losses.{name}')
    assert any(test.examples for test in doctest.DocTestFinder().find(module))
