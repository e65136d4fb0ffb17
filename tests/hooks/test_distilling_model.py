from types import SimpleNamespace

import pytest
from mmdet.registry import MODELS
from mmengine.model import MMDistributedDataParallel
from torch import nn

from mmdet_kdrank.hooks import DistillWeightHook
from mmdet_kdrank.hooks.distilling_model import distiller
from tests.detectors import RETINA, distiller_config, small_config

HOOK = DistillWeightHook(dict(loss_rank=[dict(type='constant', begin=0, factor=0.5)]))


class Wrapped(MMDistributedDataParallel):
    """A wrapper of distributed training without processes."""

    def __init__(self, module):
        nn.Module.__init__(self)
        self.module = module


@pytest.fixture
def model():
    config = distiller_config(small_config(RETINA), small_config(RETINA), 'never-read.pth')
    return MODELS.build(config)


def test_is_the_model_itself(model):
    assert distiller(SimpleNamespace(model=model), HOOK) is model


def test_is_what_a_wrapper_holds(model):
    assert distiller(SimpleNamespace(model=Wrapped(model)), HOOK) is model


@pytest.mark.parametrize('wrap', [lambda model: model, Wrapped], ids=['bare', 'wrapped'])
def test_another_model_is_refused_with_the_names_of_both(wrap):
    runner = SimpleNamespace(model=wrap(nn.Linear(1, 1)))
    with pytest.raises(TypeError, match='DistillWeightHook needs a .* model is a Linear.*set mod'):
        distiller(runner, HOOK)
