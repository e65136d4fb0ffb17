"""How many faults there are in all."""

from tests.faults.coco import DATA_FAULTS
from tests.faults.test_arguments import ARGUMENT_FAULTS
from tests.faults.test_checkpoints import CHECKPOINT_FAULTS
from tests.faults.test_configs import CONFIG_FAULTS


def test_at_least_120():
    assert len(ARGUMENT_FAULTS | CHECKPOINT_FAULTS | CONFIG_FAULTS | DATA_FAULTS) >= 120
