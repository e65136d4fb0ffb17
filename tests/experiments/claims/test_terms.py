import pytest
import torch

from experiments.claims.logits import LogitSet, random_logits
from experiments.claims.terms import all_terms, kd, rank, together

LOGITS = random_logits(rows=20)
SIGMOID = LogitSet('dense', LOGITS.student, LOGITS.teacher, LOGITS.labels, 'sigmoid')


@pytest.mark.parametrize('temperature', [1, 2, 4])
def test_kl_is_the_textbooks(temperature):
    gradient = kd(LOGITS, temperature).gradient(LOGITS)
    student_scores, teacher_scores = (
        (s / temperature).softmax(1) for s in (LOGITS.student, LOGITS.teacher)
    )
    torch.testing.assert_close(gradient, temperature * (student_scores - teacher_scores))


def test_sigmoid_heads_get_binary_kd_and_no_dkd():
    gradient = kd(SIGMOID).gradient(SIGMOID)
    torch.testing.assert_close(gradient, LOGITS.student.sigmoid() - LOGITS.teacher.sigmoid())
    names = [term.name for term in all_terms(SIGMOID)]
    assert names == [
        'binary KD, T = 1',
        'binary KD, T = 2',
        'binary KD, T = 4',
        'MSE',
        'rank',
        'rank, cosine',
        'binary KD + rank',
    ]


def test_terms_add_up_and_take_another_student():
    apart = kd(LOGITS).gradient(LOGITS) + 2 * rank().gradient(LOGITS)
    torch.testing.assert_close(together(LOGITS, 2.0).gradient(LOGITS), apart)
    at_teacher = kd(LOGITS).gradient(LOGITS, LOGITS.teacher)
    assert at_teacher.abs().max() < 1e-12
    assert 'DKD' in [term.name for term in all_terms(LOGITS)]
