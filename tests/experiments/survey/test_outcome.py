import pytest
from mmdet.registry import MODELS

from experiments.survey.outcome import FAILED, REFUSED, outcome_of
from mmdet_kdrank.losses import KendallRankLoss
from mmdet_kdrank.structures.class_alignment import align_classes


def raised(call):
    with pytest.raises(Exception) as caught:  # noqa: B017  (what it is, is what is tested)
        call()
    return caught.value


def test_what_the_package_raises_on_purpose_is_a_refusal():
    error = raised(lambda: KendallRankLoss(steepness=-1.0))
    outcome = outcome_of(error)
    assert (outcome.result, outcome.reason) == (REFUSED, str(error))


def test_a_refusal_under_another_error_is_found():
    def call():
        try:
            KendallRankLoss(steepness=-1.0)
        except ValueError as error:
            raise RuntimeError('while building') from error

    assert outcome_of(raised(call)).result == REFUSED


def test_a_slip_inside_the_package_is_a_failure():
    # A count where names are due: nothing checks that.
    outcome = outcome_of(raised(lambda: align_classes(5, 5, 5, 5)))
    assert outcome.result == FAILED


def test_an_error_elsewhere_is_a_failure_that_names_type_and_place():
    outcome = outcome_of(raised(lambda: MODELS.build(dict(type='NoSuchDetector'))))
    assert outcome.result == FAILED
    assert outcome.reason.startswith('KeyError: ') and 'registry/' in outcome.reason
    assert '\n' not in outcome.reason
