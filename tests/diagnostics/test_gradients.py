import pytest
import torch

from mmdet_kdrank.diagnostics.gradients import class_gradient, pull
from mmdet_kdrank.distillers import ClassOutput

PLAIN = ClassOutput('softmax', num_classes=3, background=True)
JOINT = ClassOutput('sigmoid', num_classes=2, background=False, kind='joint', joint_offset=5)
SCORES = ClassOutput('sigmoid', num_classes=4, background=False, kind='probabilities')


def test_gradient_at_rois():
    logits = torch.randn(5, 4, requires_grad=True)
    found = class_gradient(logits.square().sum(), PLAIN, [logits])
    torch.testing.assert_close(found[0], 2 * logits.detach())
    assert logits.grad is None


def test_only_the_class_part_of_a_joint_map_counts():
    level = torch.randn(1, 3 * 7, 2, 2, requires_grad=True)
    found = class_gradient((level**2).sum(), JOINT, [level])
    values = 2 * level.detach().permute(0, 2, 3, 1).reshape(1, 12, 7)
    torch.testing.assert_close(found[0], values[..., 5:])


def test_a_gradient_at_probabilities_is_not_turned_into_logits():
    scores = torch.rand(5, 4, requires_grad=True)
    found = class_gradient(3 * scores.sum(), SCORES, [scores])
    assert found[0].eq(3).all()


def test_levels_that_a_loss_does_not_touch_count_zero():
    one, other = (torch.randn(2, 4, requires_grad=True) for _ in range(2))
    found = class_gradient(one.sum(), PLAIN, [one, other])
    assert found[0].eq(1).all() and found[1].eq(0).all()
    assert class_gradient(torch.ones((), requires_grad=True).sum(), PLAIN, [one]) is None
    assert class_gradient(torch.ones(()), PLAIN, [one]) is None
    assert class_gradient(one.sum(), PLAIN, []) is None


def test_small_gradients_in_half_precision_survive_with_a_scale():
    logits = torch.zeros(2, 4, dtype=torch.float16, requires_grad=True)
    loss = 1e-8 * logits.float().sum()
    assert class_gradient(loss, PLAIN, [logits])[0].eq(0).all()
    ours = class_gradient(loss, PLAIN, [logits], scale=2.0**16)
    theirs = class_gradient(4 * loss, PLAIN, [logits], scale=2.0**16)
    assert pull(ours, theirs).ratio == pytest.approx(0.25, rel=0.01)


def test_norm_ratio_and_cosine_over_all_parts():
    ours = [torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]])]
    theirs = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]])]
    found = pull(ours, theirs)
    assert (found.ratio, found.cosine) == (pytest.approx(5.0), pytest.approx(0.6))
    opposite = pull(ours, [-2 * part for part in ours])
    assert (opposite.ratio, opposite.cosine) == (pytest.approx(0.5), pytest.approx(-1.0))


def test_no_comparison_with_what_is_zero_missing_or_not_finite():
    some = [torch.ones(1, 2)]
    for other in (None, [torch.zeros(1, 2)], [torch.full((1, 2), float('inf'))]):
        assert pull(some, other) is None and pull(other, some) is None
