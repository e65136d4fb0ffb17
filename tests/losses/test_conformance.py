"""No registered loss escapes the suite."""

from importlib import import_module
from pathlib import Path

from mmdet.registry import MODELS

from mmdet_kdrank.losses import LogitDistillLoss
from tests.losses.conformance import LossConformance


def registered():
    return {
        name
        for name, cls in MODELS.module_dict.items()
        if isinstance(cls, type) and issubclass(cls, LogitDistillLoss)
        # Other tests register losses of their own.
        if cls.__module__.startswith('mmdet_kdrank.')
    }


def test_every_registered_loss_runs_the_suite():
    modules = [
        import_module(f'tests.losses.{path.stem}')
        for path in Path(__file__).parent.glob('test_*.py')
    ]
    suites = {
        suite.type
        for module in modules
        for suite in vars(module).values()
        if isinstance(suite, type) and issubclass(suite, LossConformance)
        if hasattr(suite, 'type')
    }
    assert 'KendallRankLoss' in registered()
    assert registered() <= suites


def test_every_registered_loss_is_documented():
    page = (Path(__file__).parents[2] / 'docs' / 'reference' / 'config.md').read_text()
    assert not {name for name in registered() if f'`{name}`' not in page}
