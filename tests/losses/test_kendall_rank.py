"""KendallRankLoss: the suite for each of its options, and what is its own."""

import pytest
import torch

from mmdet_kdrank.losses import KendallRankLoss
from mmdet_kdrank.losses.kendall_rank import standardize_rows
from mmdet_kdrank.losses.shuffles import Shuffles
from mmdet_kdrank.ops import library
from tests.losses.conformance import CLASSES, LossConformance, batch
from tests.ops.oracle import SOFT, loop_grouped_tau, loop_tau


class TestDefault(LossConformance):
    type = 'KendallRankLoss'

    def rows(self, pred, soft_label, labels):
        return 1 - loop_tau(pred, soft_label)


class TestCosine(LossConformance):
    type = 'KendallRankLoss'
    arguments = {'form': 'cosine', 'surrogate': 'atan', 'steepness': 0.5, 'eps': 1e-3}

    def rows(self, pred, soft_label, labels):
        return 1 - loop_tau(pred, soft_label, 0.5, 'atan', form='cosine', eps=1e-3)


class TestStandardized(LossConformance):
    type = 'KendallRankLoss'
    arguments = {'standardize': True, 'exact_teacher': True, 'backend': 'reference'}

    def rows(self, pred, soft_label, labels):
        def scaled(x):
            std, mean = torch.std_mean(x, 1, correction=0, keepdim=True)
            return (x - mean) / (std**2 + 1e-3).sqrt()

        return 1 - loop_tau(scaled(pred), scaled(soft_label), exact_teacher=True)


class TestGroups(LossConformance):
    """The first call of a loss, on the groups that its seed draws first."""

    type = 'KendallRankLoss'
    arguments = {'class_groups': 3, 'seed': 5, 'steepness': 0.5}

    def rows(self, pred, soft_label, labels):
        orders = Shuffles(5).draw(CLASSES)
        return 1 - loop_grouped_tau(pred, soft_label, orders, 3, steepness=0.5)


class TestStandardizedGroups(TestGroups):
    """Over all classes, then grouped."""

    arguments = {**TestGroups.arguments, 'standardize': True}

    def rows(self, pred, soft_label, labels):
        pred, soft_label = (standardize_rows(x, 1e-3) for x in (pred, soft_label))
        return super().rows(pred, soft_label, labels)


class TestTop(LossConformance):
    """As the op with a mask of the teacher's best channels."""

    type = 'KendallRankLoss'
    arguments = {'channels': 'top', 'keep': 4}

    def mask(self, soft_label, labels):
        return soft_label >= soft_label.topk(4).values[:, -1:]

    def rows(self, pred, soft_label, labels):
        mask = self.mask(soft_label, labels)
        parts = zip(pred, soft_label, mask, strict=True)
        taus = [loop_tau(p[None, m], t[None, m]) for p, t, m in parts]
        return 1 - torch.cat([pred.double().sum(1)[:0], *taus])


class TestBottom(TestTop):
    arguments = {'channels': 'bottom', 'keep': 0.45}

    def mask(self, soft_label, labels):
        return soft_label <= soft_label.topk(3, largest=False).values[:, -1:]


class TestWithoutTarget(TestTop):
    arguments = {'without_target': True}

    def mask(self, soft_label, labels):
        return torch.arange(CLASSES, device=labels.device) != labels[:, None]


class TestProduct(LossConformance):
    """With standardised logits: MRKD's loss along the rows."""

    type = 'KendallRankLoss'
    arguments = {'form': 'product', 'standardize': True, 'steepness': 0.5}

    def rows(self, pred, soft_label, labels):
        pred, soft_label = (standardize_rows(x, 1e-3) for x in (pred, soft_label))
        return 1 - loop_tau(pred, soft_label, 0.5, form='product')


def test_the_papers_preset_is_its_steepness():
    pred, soft_label, _, _ = batch()
    paper = KendallRankLoss(preset='paper')
    assert torch.equal(paper(pred, soft_label), KendallRankLoss(100.0)(pred, soft_label))
    assert not torch.equal(paper(pred, soft_label), KendallRankLoss()(pred, soft_label))
    with pytest.raises(ValueError, match="preset='paper' contradicts steepness=3.0"):
        KendallRankLoss(3.0, preset='paper')
    with pytest.raises(ValueError, match="preset='ours' is unknown; choose one of paper"):
        KendallRankLoss(preset='ours')


def test_top_channels_in_groups_average_to_the_top_channels():
    pred, soft_label, _, _ = batch()
    top = dict(channels='top', keep=6)
    loss = KendallRankLoss(class_groups=3, **top)
    values = torch.stack([loss(pred, soft_label).detach() for _ in range(400)])
    error = values - KendallRankLoss(**top)(pred, soft_label).detach()
    assert error.mean().abs() < 4 * error.std() / 20


@pytest.mark.parametrize('surrogate', SOFT)
@pytest.mark.parametrize('form', ['kendall', 'cosine'])
def test_scale_invariant_when_standardized(surrogate, form):
    pred, soft_label, _, _ = batch()
    loss = KendallRankLoss(surrogate=surrogate, form=form, standardize=True, reduction='none')
    plain = KendallRankLoss(surrogate=surrogate, form=form, reduction='none')
    at_one = loss(pred, soft_label)
    # The logits have a variance of about 4: an eps of 1e-3 is 2.5e-4 of it.
    torch.testing.assert_close(loss(1e3 * pred, 0.5 * soft_label), at_one, rtol=0, atol=2e-3)
    assert (plain(1e3 * pred, 0.5 * soft_label) - plain(pred, soft_label)).abs().max() > 0.02


def test_standardization_is_gentle_with_fresh_heads():
    """Logits that spread by 1e-4 are not noise blown up to unit variance."""
    pred, soft_label, _, _ = batch()
    fresh = (1e-4 * pred.detach()).requires_grad_()
    loss = KendallRankLoss(standardize=True, reduction='none')(fresh, soft_label)
    (grad,) = torch.autograd.grad(loss.sum(), fresh)
    bound = 2 / pred.shape[1]
    assert 0 < grad.abs().max() <= 32 * bound


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'steepness': -1.0}, 'steepness=-1.0 must be a positive'),
        ({'surrogate': 'sign'}, "surrogate='sign' is unknown; .* algebraic, atan, erf, tanh"),
        ({'form': 'pearson'}, "form='pearson' is unknown; choose one of cosine, kendall, product"),
        ({'backend': 'cuda'}, "backend='cuda' is unknown"),
        ({'eps': 0}, 'eps=0 must be a positive'),
        ({'standardize_eps': -1e-3}, 'standardize_eps=-0.001 must be a positive'),
        ({'class_groups': 0}, 'class_groups=0 must be a whole number of at least 1'),
        ({'class_groups': 2, 'seed': -1}, 'seed=-1 must be a whole number of at least 0'),
        ({'class_groups': 4, 'form': 'cosine'}, "class_groups=4 with form='cosine'.* is biased"),
        ({'form': 'product', 'exact_teacher': True}, "form='product' has no .* Leave out exact"),
        ({'channels': 'top', 'keep': 2, 'form': 'cosine'}, 'a whole number of at least 3'),
        ({'reduction': 'max'}, "reduction='max' is unknown; choose one of mean, none, sum"),
    ],
)
def test_constructor_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        KendallRankLoss(**arguments)


def test_cosine_on_two_classes_names_the_mend():
    with pytest.raises(ValueError, match="form='cosine' on C = 2 .* use form='kendall'"):
        KendallRankLoss(form='cosine')(torch.zeros(3, 2), torch.zeros(3, 2))


def test_too_many_groups_name_the_mend():
    with pytest.raises(ValueError, match='40 groups of C = 60 .* use at most 30'):
        KendallRankLoss(class_groups=40)(torch.zeros(3, 60), torch.zeros(3, 60))


def test_groups_change_from_call_to_call_and_average_to_the_full_loss():
    pred, soft_label, _, _ = batch()
    loss = KendallRankLoss(class_groups=3)
    values = torch.stack([loss(pred, soft_label).detach() for _ in range(400)])
    error = values - KendallRankLoss()(pred, soft_label).detach()
    assert len(values.unique()) > 390
    assert error.mean().abs() < 4 * error.std() / 20


@pytest.mark.skipif(not library.AVAILABLE, reason='needs torch 2.5 or newer')
def test_compiled_groups_are_drawn_anew_at_each_call():
    """With a break of the graph around the draw, and without compiling again."""
    torch.compiler.reset()
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    pred, soft_label, _, _ = batch(torch.float32)
    eager, compiled = KendallRankLoss(class_groups=3), KendallRankLoss(class_groups=3)
    compiled.compile(backend=backend)
    counts = []
    for _ in range(3):
        values = [loss(pred, soft_label) for loss in (eager, compiled)]
        grads = [torch.autograd.grad(value, pred)[0] for value in values]
        torch.testing.assert_close(values[1], values[0])
        torch.testing.assert_close(grads[1], grads[0])
        counts.append(len(graphs))
    assert counts[0] == counts[2] > 0


def test_prints_its_options():
    assert "steepness=2.0, surrogate='erf'" in repr(KendallRankLoss(2.0, 'erf'))
