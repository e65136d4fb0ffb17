"""split_target against sums of probabilities, and where probabilities run out."""

import torch

from mmdet_kdrank.losses.dkd import split_target
from tests.losses.conformance import CLASSES, batch


def test_against_probabilities():
    logits, _, _, labels = batch()
    for row, label, log_p, log_rest, log_others in zip(
        logits, labels, *split_target(logits, labels), strict=True
    ):
        p = row.exp() / row.exp().sum()
        others = torch.stack([p[c] for c in range(CLASSES) if c != label])
        torch.testing.assert_close(log_p.exp(), p[label])
        torch.testing.assert_close(log_rest.exp(), 1 - p[label])
        torch.testing.assert_close(log_others.exp(), others / (1 - p[label]))


def test_exact_where_the_target_takes_all():
    logits = torch.tensor([[300.0, 1.0, 0.0], [-300.0, 1.0, 0.0]], requires_grad=True)
    parts = split_target(logits, torch.tensor([0, 0]))
    torch.testing.assert_close(parts[0], torch.tensor([0.0, -301.3133]))
    torch.testing.assert_close(parts[1], torch.tensor([-298.6867, 0.0]))
    torch.testing.assert_close(parts[2][0], parts[2][1])
    sum(part.sum() for part in parts).backward()
    assert logits.grad.isfinite().all()


def test_no_rows():
    logits, _, _, labels = batch(rows=0)
    assert [part.shape for part in split_target(logits, labels)] == [(0,), (0,), (0, CLASSES - 1)]
