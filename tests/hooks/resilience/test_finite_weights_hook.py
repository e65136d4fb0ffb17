import pytest

from tests.detectors import RETINA
from tests.hooks.resilience.test_safe_checkpoint import Spoil
from tests.training import train, training_config


@pytest.mark.parametrize('after', [4, 5])
def test_mmengines_hook_writes_no_weights_that_are_not_finite(tmp_path, after):
    """At once where a checkpoint is due; otherwise the next iteration has stopped before."""
    config = training_config(RETINA, tmp_path)
    config.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=2)
    config.default_hooks.finite_weights = dict(type='FiniteWeightsHook')
    config.custom_hooks = [*config.custom_hooks, dict(type=Spoil.__name__, after=after)]
    with pytest.raises(FloatingPointError, match=r'1 of 36 values of .*retina_reg\.bias') as caught:
        train(config, tmp_path / 'work')
    assert ('this checkpoint is not written, and the earlier' in str(caught.value)) == (after == 4)
    assert sorted(path.name for path in tmp_path.glob('work/iter_*.pth')) == (
        ['iter_2.pth'] if after == 4 else ['iter_2.pth', 'iter_4.pth']
    )
