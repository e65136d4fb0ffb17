"""What every loss along the candidates must do, against the oracle of its formula.

A loss's test derives a class from :class:`CandidateConformance` and gives it ``build`` and ``row``.
"""

from dataclasses import replace

import pytest
import torch
from mmdet.registry import MODELS

from tests.losses.candidates import (
    HEADS,
    make_samples,
    naive_class_rows,
    naive_loss,
    naive_object_rows,
)
from tests.ops.oracle import DEVICES

# Of 40 samples: rows of full width, and rows that end before it.
MOST = 12
ROWS = {
    'class': dict(rows='class', candidates=MOST, score_thr=0.3),
    'few': dict(rows='class', candidates=3, score_thr=0.9),
    'batch': dict(rows='class', scope='batch', candidates=64, score_thr=0.3),
    'object': dict(rows='object', candidates=MOST),
    'few of an object': dict(rows='object', candidates=3),
}


def naive_rows(samples, rows, candidates, scope='image', score_thr=0.05):
    if rows == 'object':
        return naive_object_rows(samples, candidates)
    return naive_class_rows(samples, candidates, score_thr, scope == 'image')


def shuffled(samples, order):
    """The same samples in another order."""
    names = ('student', 'teacher', 'image', 'labels', 'boxes')
    return replace(samples, **{name: getattr(samples, name)[order] for name in names})


class CandidateConformance:
    """The suite."""

    # The registered name and arguments of the loss.
    type: str
    arguments: dict = {}

    def row(self, student, teacher):
        """The loss of one row of candidates, (M,) each, differentiable, in float64: the oracle."""
        raise NotImplementedError

    def build(self, **kwargs):
        return MODELS.build({'type': self.type, **self.arguments, **kwargs})

    @pytest.mark.parametrize('head', HEADS)
    @pytest.mark.parametrize('rows', ROWS)
    def test_value_and_gradient(self, head, rows):
        samples = make_samples(*head)
        wanted = naive_rows(samples, **ROWS[rows])
        assert len(wanted) >= 2 and any(len(m) >= 3 for _, m in wanted)
        expected = 0.5 * naive_loss(samples, wanted, self.row)
        (grad_expected,) = torch.autograd.grad(expected, samples.student)

        actual = self.build(loss_weight=0.5, **ROWS[rows])(samples)
        (grad,) = torch.autograd.grad(actual, samples.student)
        torch.testing.assert_close(actual, expected)
        torch.testing.assert_close(grad, grad_expected)
        assert grad.ne(0).any()

    @pytest.mark.parametrize('rows', ROWS)
    def test_a_shift_of_all_logits_of_a_roi_changes_nothing(self, rows):
        """The scores of a softmax head do not notice it."""
        samples = make_samples('softmax', True)
        shift = 100 * torch.randn(2, len(samples), 1)
        moved = replace(
            samples, student=samples.student + shift[0], teacher=samples.teacher + shift[1]
        )
        loss = self.build(**ROWS[rows])
        torch.testing.assert_close(loss(moved), loss(samples))

    @pytest.mark.parametrize('head', HEADS[:2])
    @pytest.mark.parametrize('rows', ROWS)
    def test_the_order_of_the_samples_does_not_matter(self, head, rows):
        samples = make_samples(*head)
        loss = self.build(**ROWS[rows])
        other = shuffled(samples, torch.randperm(len(samples)))
        torch.testing.assert_close(loss(other), loss(samples))

    def test_ragged_rows_are_separate_calls(self):
        loss = self.build()
        student, teacher = torch.randn(2, 4, 9, dtype=torch.float64)
        length = torch.tensor([9, 3, 6, 4])
        valid = torch.arange(9) < length[:, None]
        together = loss.row_loss(student, teacher, valid)
        alone = [
            loss.row_loss(student[[n], :m], teacher[[n], :m], valid[[n], :m])
            for n, m in enumerate(length.tolist())
        ]
        torch.testing.assert_close(together, torch.cat(alone))

    def test_what_is_not_valid_has_no_influence(self):
        loss = self.build()
        student, teacher = torch.randn(2, 2, 6)
        valid = torch.arange(6) < torch.tensor([[4], [6]])
        student.requires_grad_()
        expected = loss.row_loss(student, teacher, valid)
        (grad,) = torch.autograd.grad(expected.sum(), student)
        assert grad.isfinite().all() and not grad[0, 4:].any() and grad[0, :4].all()
        wild = student.detach().masked_fill(~valid, 1e4)
        torch.testing.assert_close(
            loss.row_loss(wild, -teacher.where(valid, 1e4), valid),
            loss.row_loss(student, -teacher, valid),
        )

    @pytest.mark.parametrize('rows', ROWS)
    def test_the_teacher_is_a_constant(self, rows):
        samples = make_samples('softmax', True)
        samples.teacher.requires_grad_()
        self.build(**ROWS[rows])(samples).backward()
        assert samples.teacher.grad is None
        assert samples.student.grad.ne(0).any()

    @pytest.mark.parametrize('device', DEVICES)
    @pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
    @pytest.mark.parametrize('head', HEADS[:2])
    def test_autocast(self, device, dtype, head):
        """Computed in float32, and the gradient in the logits' dtype."""
        exact = make_samples(*head)
        given = replace(
            exact,
            **{
                name: getattr(exact, name).detach().to(device, dtype)
                for name in ('student', 'teacher')
            },
            image=exact.image.to(device),
        )
        given.student.requires_grad_()
        with torch.autocast(device, torch.bfloat16):
            actual = self.build(**ROWS['class'])(given)
        rounded = replace(
            exact, student=given.student.cpu().double(), teacher=given.teacher.cpu().double()
        )
        expected = self.build(**ROWS['class'])(rounded)
        assert actual.dtype is torch.float32
        torch.testing.assert_close(actual.cpu().double(), expected, rtol=1e-4, atol=1e-6)
        actual.backward()
        assert given.student.grad.dtype is dtype and given.student.grad.isfinite().all()

    @pytest.mark.parametrize('rows', ROWS)
    @pytest.mark.parametrize('head', HEADS[:2])
    def test_no_row_is_zero_with_a_graph(self, head, rows):
        full = make_samples(*head)
        truth = full.ground_truth
        nobody = replace(
            truth, boxes=truth.boxes[:0], labels=truth.labels[:0], image=truth.image[:0]
        )
        unseen = full.teacher - 50 * (torch.arange(full.teacher.shape[1]) < full.num_classes)
        background = torch.full_like(full.labels, full.num_classes)
        blind = replace(full, teacher=unseen, labels=background)
        cases = {
            'no sample': shuffled(full, torch.arange(0)),
            'one sample': shuffled(full, torch.arange(1)),
            'nothing seen, no positive': blind,
            'no object': replace(blind, ground_truth=nobody, labels=full.labels),
        }
        loss = self.build(**ROWS[rows])
        for case, samples in cases.items():
            actual = loss(samples)
            assert actual == 0, case
            (grad,) = torch.autograd.grad(actual, samples.student)
            assert not grad.any(), case

    def test_class_rows_need_neither_labels_nor_boxes(self):
        samples = make_samples()
        bare = replace(samples, labels=None, boxes=None, ground_truth=None)
        loss = self.build(**ROWS['class'])
        assert not loss.requires_labels and not loss.requires_boxes
        assert torch.equal(loss(bare), loss(samples))

    def test_shows_its_rows_when_printed(self):
        assert "rows='object', scope='image', candidates=3" in repr(
            self.build(**ROWS['few of an object'])
        )

    def test_holds_no_state(self):
        """The student's checkpoint stays as it is."""
        assert not self.build().state_dict()

    @pytest.mark.parametrize('missing', ['labels', 'boxes', 'ground_truth'])
    def test_object_rows_say_what_they_lack(self, missing):
        samples = replace(make_samples(), **{missing: None})
        with pytest.raises(ValueError, match=f'{self.type}.*boxes and ground_truth'):
            self.build(rows='object')(samples)
