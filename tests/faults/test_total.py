"""How many faults there are in all."""

from tests.datasets.test_advice import FAULTS
from tests.faults.coco import DATA_FAULTS
from tests.faults.test_any_option import OF_DATA, OF_MODEL
from tests.faults.test_any_value import PLACES, VALUES
from tests.faults.test_arguments import ARGUMENT_FAULTS
from tests.faults.test_checkpoints import CHECKPOINT_FAULTS
from tests.faults.test_configs import CONFIG_FAULTS
from tests.faults.test_op_arguments import OP_FAULTS
from tests.faults.test_pairs import PAIR_FAULTS


def test_at_least_200_with_words_of_their_own():
    of_calls = (ARGUMENT_FAULTS, OP_FAULTS)
    of_models = (CHECKPOINT_FAULTS, CONFIG_FAULTS, PAIR_FAULTS)
    of_data = (DATA_FAULTS, FAULTS)
    assert sum(map(len, (*of_calls, *of_models, *of_data))) >= 200


def test_any_value_anywhere():
    assert len(VALUES) * (len(PLACES) + len(OF_DATA) + len(OF_MODEL)) >= 800
