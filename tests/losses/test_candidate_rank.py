"""CandidateRankLoss: the suite for its options, and what is its own."""

from dataclasses import replace

import pytest
import torch

from mmdet_kdrank.losses import CandidateRankLoss
from tests.losses.candidate_conformance import CandidateConformance
from tests.losses.candidates import make_samples, naive_rank


class TestDefault(CandidateConformance):
    type = 'CandidateRankLoss'
    row = staticmethod(naive_rank())


class TestCosine(CandidateConformance):
    type = 'CandidateRankLoss'
    arguments = dict(form='cosine', surrogate='atan', steepness=0.5, eps=1e-3)

    def row(self, student, teacher):
        # The sign of one pair, whose gradient through eps the op leaves out.
        student = student.detach() if len(student) == 2 else student
        options = dict(form='cosine', surrogate='atan', steepness=0.5, eps=1e-3)
        return naive_rank(**options)(student, teacher)


class TestStandardized(CandidateConformance):
    type = 'CandidateRankLoss'
    arguments = dict(standardize=True, exact_teacher=True, backend='reference')

    def row(self, student, teacher):
        def scaled(x):
            return (x - x.mean()) / (x.var(correction=0) + 1e-3).sqrt()

        return naive_rank(exact_teacher=True)(scaled(student), scaled(teacher))


@pytest.mark.parametrize('head', [('sigmoid', False), ('softmax', True)])
def test_agreement_is_no_loss_and_reversal_is_two(head):
    samples = make_samples(*head, rows=12)
    loss = CandidateRankLoss(steepness=1e6, scope='batch')
    same = loss(replace(samples, student=samples.teacher))
    torch.testing.assert_close(same, torch.zeros_like(same))
    if head == ('sigmoid', False):
        torch.testing.assert_close(loss(replace(samples, student=-samples.teacher)), same + 2)


def test_descending_the_loss_brings_the_teachers_order():
    samples = make_samples('softmax', True, rows=12)
    student = samples.student.detach().clone().requires_grad_()
    loss = CandidateRankLoss(scope='batch')
    optimizer = torch.optim.Adam([student], lr=0.2)
    first = loss(replace(samples, student=student)).item()
    for _ in range(100):
        optimizer.zero_grad()
        loss(replace(samples, student=student)).backward()
        optimizer.step()
    hard = CandidateRankLoss(scope='batch', steepness=1e6)
    assert first > 0.5
    assert hard(replace(samples, student=student)) < 0.05


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(rows='anchor'), "rows='anchor' is unknown; choose one of class, object"),
        (dict(scope='epoch'), "scope='epoch' is unknown"),
        (dict(candidates=1), 'candidates=1 must be a whole number of at least 2'),
        (dict(candidates=2, form='cosine'), 'candidates=2 with form=.cosine.*at least 3'),
        (dict(score_thr=0.0), 'score_thr=0.0 must be a score between 0 and 1'),
        (dict(score_thr=1.0), 'score_thr=1.0 must be a score between 0 and 1'),
        (dict(rows='object', scope='batch'), "scope='batch' does not fit rows='object'"),
        (dict(surrogate='sign'), "surrogate='sign' is unknown"),
        (dict(steepness=0), 'steepness=0 must be a positive'),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(ValueError, match=message):
        CandidateRankLoss(**options)
