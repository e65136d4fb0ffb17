import pytest
import torch
from scipy.stats import kendalltau

from mmdet_kdrank.ops.agreement import MAX_ROWS, MIN_ROWS, agreement


def test_agreement_is_the_mean_hard_tau_and_the_top1_share():
    torch.manual_seed(0)
    student, teacher = torch.randn(7, 9, requires_grad=True), torch.randn(7, 9)
    measured = agreement(student, teacher)
    rows = zip(student.detach().numpy(), teacher.numpy(), strict=True)
    expected = sum(kendalltau(s, t).statistic for s, t in rows) / 7
    assert float(measured['distill_tau']) == pytest.approx(expected, abs=1e-6)
    assert float(measured['distill_top1']) == pytest.approx(
        float((student.argmax(1) == teacher.argmax(1)).float().mean())
    )
    assert not measured['distill_tau'].requires_grad


@pytest.mark.parametrize(
    ('classes', 'most'), [(3, MAX_ROWS), (512, MAX_ROWS), (1024, 256), (5000, MIN_ROWS)]
)
def test_only_a_bounded_sample_is_looked_at(monkeypatch, classes, most):
    seen = []

    def spy(student, teacher, surrogate):
        seen.append(len(student))
        return torch.zeros(len(student))

    monkeypatch.setattr('mmdet_kdrank.ops.agreement.kendall_tau', spy)
    logits = torch.zeros(10 * MAX_ROWS + 1, 1).expand(-1, classes)
    agreement(logits, logits)
    assert most // 2 < seen[0] <= most


def test_no_rows_have_no_agreement():
    assert agreement(torch.zeros(0, 3), torch.zeros(0, 3)) == {}
