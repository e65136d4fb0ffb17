"""MMDetection's own loss passes the suite of ours: the two kinds plug into the same place."""

import torch
import torch.nn.functional as F
from mmdet.models.losses import KnowledgeDistillationKLDivLoss  # noqa: F401  registers itself

from tests.losses.conformance import LossConformance


class TestKnowledgeDistillationKLDivLoss(LossConformance):
    type = 'KnowledgeDistillationKLDivLoss'
    arguments = {'T': 2}
    empty_mean = float('nan')
    # The teacher's softmax keeps the precision of its input.
    autocast_rtol = 1e-2
    # It takes that softmax in the input's dtype, for which torch 2.1 has no kernel there.
    half_on_cpu = not torch.__version__.startswith('2.1.')

    def rows(self, pred, soft_label, labels):
        log_p, log_q = F.log_softmax(pred / 2, 1), F.log_softmax(soft_label / 2, 1)
        # The mean over classes, where the textbook has the sum.
        return 4 * (log_q.exp() * (log_q - log_p)).mean(1)
