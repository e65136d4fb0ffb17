"""How many faults there are in all."""

from tests.datasets.test_advice import FAULTS
from tests.faults.coco import DATA_FAULTS
from tests.faults.test_any_option import OF_DATA, OF_MODEL
from tests.faults.test_any_value import PLACES, VALUES
from tests.faults.test_arguments import ARGUMENT_FAULTS
from tests.faults.test_checkpoints import CHECKPOINT_FAULTS
from tests.faults.test_configs import CONFIG_FAULTS
from tests.faults.test_pairs import PAIR_FAULTS


def test_at_least_200_with_words_of_their_own():
    tables = (ARGUMENT_FAULTS, CHECKPOINT_FAULTS, CONFIG_FAULTS, PAIR_FAULTS, DATA_FAULTS, FAULTS)
    assert sum(map(len, tables)) >= 200


def test_any_value_anywhere():
    assert len(VALUES) * (len(PLACES) + len(OF_DATA) + len(OF_MODEL)) >= 800
