"""What a new loss and a new head cost, in a project that is made for the test."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from mmdet.models.dense_heads import RetinaHead
from mmdet.registry import MODELS

from mmdet_kdrank.distillers import ClassOutput, declare_class_output
from mmdet_kdrank.heads.class_output import _DECLARATIONS
from tests.detectors import (
    RETINA,
    build,
    distiller_config,
    save_teacher,
    small_config,
    training_losses,
)

ROOT = Path(__file__).parents[1]

# All that a new loss takes: the loss, its test, and a line of documentation.
NEW_LOSS = {
    'brier.py': """
        from mmdet.registry import MODELS

        from mmdet_kdrank.losses import LogitDistillLoss


        @MODELS.register_module()
        class BrierLoss(LogitDistillLoss):
            def row_loss(self, pred, soft_label):
                p, q = pred.softmax(1), soft_label.softmax(1)
                return (p - q).square().sum(1)
    """,
    'test_brier.py': """
        import brier
        from tests.losses.conformance import LossConformance


        class TestBrierLoss(LossConformance):
            type = 'BrierLoss'

            def rows(self, pred, soft_label, labels):
                p, q = (x.exp() / x.exp().sum(1, keepdim=True) for x in (pred, soft_label))
                return (p * p).sum(1) - 2 * (p * q).sum(1) + (q * q).sum(1)
    """,
    'README.md': '- `BrierLoss`: the squared distance of two softmax distributions.',
}


@pytest.mark.slow
def test_a_new_loss_is_three_files_and_passes_the_suite(tmp_path):
    for name, text in NEW_LOSS.items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    command = [sys.executable, '-m', 'pytest', '-q', '--import-mode=importlib', str(tmp_path)]
    options = [
        '-p',
        'no:cacheprovider',
        '--rootdir',
        str(tmp_path),
        '-k',
        'not device and not large',
    ]
    run = subprocess.run(
        [*command, *options],
        cwd=tmp_path,
        env={'PYTHONPATH': f'{tmp_path}:{ROOT}', 'PATH': '/usr/bin:/bin', 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert ' passed' in run.stdout


class BoxesFirstHead(RetinaHead):
    """A dense head as other projects write it, whose boxes come before its class maps.

    With four classes both have as many channels, so a guess would distil boxes.
    """

    def forward(self, x):
        scores, boxes = super().forward(x)
        return boxes, scores

    def loss_by_feat(self, boxes, scores, *args, **kwargs):
        return super().loss_by_feat(scores, boxes, *args, **kwargs)


@pytest.fixture
def boxes_first():
    MODELS.register_module(name='BoxesFirstHead', module=BoxesFirstHead)
    yield
    del MODELS._module_dict['BoxesFirstHead']
    _DECLARATIONS.pop(BoxesFirstHead, None)


def losses_of(head, folder):
    student, teacher = (small_config(RETINA, width, num_classes=4) for width in (4, 8))
    checkpoint = save_teacher(teacher, folder / 'teacher.pth')
    for model in (student, teacher):
        model.bbox_head.type = head
    torch.manual_seed(0)
    return training_losses(build(distiller_config(student, teacher, checkpoint)), num_classes=4)


def test_a_new_dense_head_with_its_class_maps_second_is_one_declaration(boxes_first, tmp_path):
    with pytest.raises(TypeError, match='BoxesFirstHead cannot be distilled'):
        losses_of('BoxesFirstHead', tmp_path)

    @declare_class_output(BoxesFirstHead)
    def boxes_first_head(head):
        return ClassOutput('sigmoid', head.num_classes, background=False, output_index=1)

    seen, expected = losses_of('BoxesFirstHead', tmp_path), losses_of('RetinaHead', tmp_path)
    assert seen.keys() == expected.keys()
    for name, value in expected.items():
        assert (
            torch.equal(torch.stack(list(seen[name])), torch.stack(list(value)))
            if isinstance(value, list)
            else torch.equal(seen[name], value)
        ), name


def test_an_output_that_is_not_there_is_refused(boxes_first, tmp_path):
    @declare_class_output(BoxesFirstHead)
    def boxes_first_head(head):
        return ClassOutput('sigmoid', head.num_classes, background=False, output_index=2)

    with pytest.raises(ValueError, match='returns 2 kinds of maps.* takes number 2'):
        losses_of('BoxesFirstHead', tmp_path)
