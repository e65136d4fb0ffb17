import io
import pickle

import numpy as np
import pytest
from mmengine.logging import HistoryBuffer

from mmdet_kdrank.safe_globals import allowed_names, history_statistic, restricted_pickle


@pytest.mark.parametrize('name', ['min', 'max', 'current', 'mean'])
def test_statistics_of_a_log_buffer_are_known(name):
    assert history_statistic(HistoryBuffer, name) is getattr(HistoryBuffer, name)


@pytest.mark.parametrize(
    'owner, name', [(HistoryBuffer, '__init__'), (HistoryBuffer, '__globals__'), (np, 'save')]
)
def test_everything_else_is_refused(owner, name):
    with pytest.raises(pickle.UnpicklingError, match='refused: getattr'):
        history_statistic(owner, name)


def test_arrays_and_scalars_of_numbers_are_read():
    module = restricted_pickle(allowed_names())
    content = pickle.dumps(np.arange(3.0), protocol=4)
    assert module.load(io.BytesIO(content)).tolist() == [0, 1, 2]


def test_other_names_are_refused():
    with pytest.raises(pickle.UnpicklingError, match='refused: builtins.eval'):
        restricted_pickle(allowed_names()).load(io.BytesIO(b'cbuiltins\neval\n.'))
