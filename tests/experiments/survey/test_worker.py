from multiprocessing import get_context

import pytest

from experiments.survey.configs import stock_configs
from experiments.survey.lean import lean_model
from experiments.survey.outcome import REFUSED, WORKS
from experiments.survey.worker import attempt

GLIP = dict(type='GLIP')
MEMORY = 6 << 30

# Imported in the worker's process, and printed into its log.
LIMITS = """
import os, resource
print('from Python', resource.getrlimit(resource.RLIMIT_DATA))
os.write(2, b'from below Python')
"""
PICKY = """
from mmdet.models import ResNet
from mmdet.registry import MODELS

@MODELS.register_module()
class Picky(ResNet):
    def forward(self, x):
        print('width', x.shape[-1])
        assert x.shape[-1] >= 300, 'too narrow'
        return super().forward(x)
"""


@pytest.fixture(scope='module')
def context():
    context = get_context('forkserver')
    context.set_forkserver_preload(['experiments.survey.worker'])
    return context


@pytest.fixture
def tried(context, tmp_path, monkeypatch):
    """Calls ``attempt`` in a process of its own; what it sent, and its log."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(model, name, source):
        (tmp_path / f'{name}.py').write_text(source)
        log = tmp_path / f'{name}.txt'
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=attempt, args=(model, [name], MEMORY, str(log), sender))
        process.start()
        sender.close()
        sent = receiver.recv()
        process.join()
        assert process.exitcode == 0
        return sent, log.read_text()

    return run


@pytest.mark.slow
def test_outcome_limit_and_log_of_an_attempt(tried):
    (result, reason, seconds), log = tried(GLIP, 'limits', LIMITS)
    assert result == REFUSED and 'prompt' in reason
    assert seconds > 0
    assert f'from Python ({MEMORY}, {MEMORY})' in log and 'from below Python' in log


@pytest.mark.slow
def test_larger_pictures_are_tried_where_the_stock_detector_takes_no_small_ones(tried):
    (config,) = stock_configs('retinanet/retinanet_r18_fpn_1x_coco.py')
    model = lean_model(config.model)
    model['backbone']['type'] = 'Picky'
    (result, reason, _), log = tried(model, 'picky', PICKY)
    assert (result, reason) == (WORKS, '')
    assert log.index('width 128') < log.index('width 320')
