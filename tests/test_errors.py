import builtins
import pickle

import pytest

from mmdet_kdrank import errors

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, errors.KDRankError)
]


@pytest.mark.parametrize('error', [cls for cls in CLASSES if cls is not errors.KDRankError])
def test_each_is_a_builtin_too_and_keeps_its_message(error):
    assert any(base in vars(builtins).values() for base in error.__bases__)
    raised = error("No loss 'x'.")
    assert str(raised) == "No loss 'x'."
    assert str(pickle.loads(pickle.dumps(raised))) == "No loss 'x'."
