"""RankMimicLoss: the suite for its options, and what is its own."""

import pytest
import torch

from mmdet_kdrank.losses import RankMimicLoss
from tests.losses.candidate_conformance import CandidateConformance
from tests.losses.candidates import make_samples, naive_mimic


class TestDefault(CandidateConformance):
    type = 'RankMimicLoss'
    row = staticmethod(naive_mimic())


class TestLogOdds(CandidateConformance):
    type = 'RankMimicLoss'
    arguments = dict(over='log_odds', temperature=2.0)
    row = staticmethod(naive_mimic(2.0, scores=False))


def test_the_rows_are_those_of_objects_by_default():
    samples = make_samples()
    assert RankMimicLoss().requires_boxes
    assert torch.equal(RankMimicLoss()(samples), RankMimicLoss(rows='object')(samples))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(over='logits'), "over='logits' is unknown; choose one of log_odds, scores"),
        (dict(temperature=0.0), 'temperature=0.0 must be a positive'),
        (dict(scope='batch'), "scope='batch' does not fit rows='object'"),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(ValueError, match=message):
        RankMimicLoss(**options)
