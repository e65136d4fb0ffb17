"""LogitMSELoss: the suite, and what it has to do with KL."""

import torch

from mmdet_kdrank.losses import LogitMSELoss
from tests.losses.conformance import LossConformance, batch


class TestMSE(LossConformance):
    type = 'LogitMSELoss'

    def rows(self, pred, soft_label, labels):
        rows = []
        for s, t in zip(pred, soft_label, strict=True):
            rows.append(sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / len(s))
        return torch.stack(rows)


def test_is_twice_the_limit_of_kl_at_high_temperature():
    pred, soft_label, _, _ = batch()
    pred, soft_label = (x - x.mean(1, keepdim=True) for x in (pred, soft_label))
    temperature = 1e4
    log_p, log_q = ((x / temperature).log_softmax(1) for x in (pred, soft_label))
    kl = temperature**2 * (log_q.exp() * (log_q - log_p)).sum(1)
    loss = LogitMSELoss(reduction='none')(pred, soft_label)
    torch.testing.assert_close(loss, 2 * kl, rtol=1e-3, atol=0)
