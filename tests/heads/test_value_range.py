import pytest
import torch

from mmdet_kdrank.distillers import ClassOutput
from mmdet_kdrank.heads.value_range import LEAST, check_logits_range, check_probabilities

LOGITS = ClassOutput('sigmoid', 4, background=False)
PROBABILITIES = ClassOutput('sigmoid', 4, background=False, kind='probabilities')


def random(*shape, scale=1.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * scale


SOFTMAX = ClassOutput('softmax', 3, background=True)


@pytest.mark.parametrize(
    ('side', 'output', 'scores'),
    [
        ('teacher', LOGITS, random(99, 4).sigmoid()),
        ('student', LOGITS, random(9, 20).sigmoid()),
        ('student', SOFTMAX, random(99, 4).softmax(1)),
        ('teacher', SOFTMAX, random(99, 4, scale=9).softmax(1)),
    ],
)
def test_scores_that_are_declared_logits_are_refused(side, output, scores):
    with pytest.raises(ValueError, match=f"{side}'s class output.*Declare kind='probabilities'"):
        check_logits_range(side, output, scores)


def test_a_fresh_student_of_few_columns_may_be_positive_by_chance():
    """Its rows are alike: here every column is positive."""
    logits = torch.tensor([0.1, 0.3, 0.2, 0.05]) + random(99, 4, scale=1e-3)
    check_logits_range('student', LOGITS, logits)
    check_logits_range('student', SOFTMAX, logits)


@pytest.mark.parametrize(
    'logits',
    [
        random(99, 4),
        random(99, 4, scale=1e-6),  # a fresh head
        torch.zeros(99, 4),  # a head of zeros
        torch.full((99, 4), 0.5),  # a head of zeros with a bias
        random(99, 4) + 9,  # the level of a softmax is arbitrary
        random(LEAST // 4 - 1, 4).abs().clamp(max=1),  # too few to tell
        torch.zeros(0, 4),
    ],
)
def test_logits_pass(logits):
    check_logits_range('student', LOGITS, logits)
    check_logits_range('student', PROBABILITIES, logits)


def test_logits_that_are_declared_probabilities_are_refused():
    maps = [random(2, 8, 3, 3)]
    with pytest.raises(ValueError, match="Declare kind='logits'"):
        check_probabilities('student', PROBABILITIES, maps)
    with pytest.raises(ValueError, match="Declare kind='logits'"):
        check_probabilities('student', PROBABILITIES, [random(9, 4)])
    check_probabilities('student', LOGITS, maps)
    check_probabilities('student', PROBABILITIES, [torch.full((9, 4), float('nan'))])
    check_probabilities('student', PROBABILITIES, [maps[0].sigmoid(), torch.zeros(0, 4)])


def test_values_beside_the_classes_may_be_anything():
    output = ClassOutput('sigmoid', 4, background=False, kind='probabilities', extra=1)
    values = torch.cat([random(9, 4).sigmoid(), 7 + random(9, 1)], 1)
    check_probabilities('student', output, [values])
