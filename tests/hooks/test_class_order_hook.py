from types import SimpleNamespace

import pytest
from mmengine.runner.base_loop import BaseLoop

from mmdet_kdrank.hooks import ClassOrderHook


class Loop(BaseLoop):
    def run(self):
        """Nothing."""

    def __init__(self, **dataset):
        self.dataloader = SimpleNamespace(dataset=SimpleNamespace(**dataset))


def compare(trained, tested, **dataset):
    loop = Loop(metainfo=dict(classes=tested), **dataset)
    runner = SimpleNamespace(_test_loop=loop, test_loop=loop)
    meta = dict(dataset_meta=dict(classes=trained))
    ClassOrderHook().after_load_checkpoint(runner, dict(meta=meta))


@pytest.mark.parametrize('tested', [('cow', 'dog', 'cat'), ('dog', 'cow'), ('cat', 'dog')])
def test_labels_that_mean_other_classes_are_refused_and_the_advice_ends_it(tested):
    trained = ('cat', 'dog', 'cow')
    with pytest.raises(ValueError, match='classes cat, dog, cow, but the test set has .*two clas'):
        compare(trained, tested)
    compare(trained, trained)


def test_what_may_differ():
    compare(('cat', 'dog'), ['cat', 'dog'])
    compare(('cat', 'dog'), ('Katze', 'Hund'))
    compare(('cat',), ('cat', 'dog'))
    compare(('cat', 'dog'), ('dog', 'cat'), return_classes=True)
    compare(None, ('dog', 'cat'))
    compare(('cat', 'dog'), None)


def test_a_training_has_no_test_loop_yet():
    meta = dict(dataset_meta=dict(classes=('a', 'b')))
    runner = SimpleNamespace(_test_loop=dict(type='TestLoop'))
    ClassOrderHook().after_load_checkpoint(runner, dict(meta=meta))
