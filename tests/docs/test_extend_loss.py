"""The loss of docs/how_to/extend_loss.md, by the suite that the page names."""

import pytest
from mmdet.registry import MODELS

from tests.docs.pages import ROOT, blocks
from tests.losses.conformance import LossConformance


@pytest.fixture(scope='module', autouse=True)
def _registered():
    exec(blocks(ROOT / 'docs/how_to/extend_loss.md', 'python')[0].text, {})
    yield
    del MODELS._module_dict['TotalVariationLoss']


class TestTotalVariationLoss(LossConformance):
    type = 'TotalVariationLoss'

    def rows(self, pred, soft_label, labels):
        student, teacher = pred.double().exp(), soft_label.double().exp()
        apart = student / student.sum(1, keepdim=True) - teacher / teacher.sum(1, keepdim=True)
        return apart.clamp_min(0).sum(1)
