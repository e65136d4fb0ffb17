import copy

import pytest
import torch
from torch import nn

from mmdet_kdrank.heads.capture import watch_forward
from mmdet_kdrank.teachers.dead_branches import Absent, cut_dead_branches
from mmdet_kdrank.teachers.teacher import TeacherSource
from tests.detectors import (
    ATSS,
    CASCADE,
    DOUBLE_HEAD,
    FASTER,
    FCOS,
    GFL,
    RETINA,
    build,
    distiller_config,
    save_teacher,
    small_config,
    training_losses,
)


def fcos_with_centerness_beside_boxes():
    config = small_config(FCOS, width=8)
    config.bbox_head.update(centerness_on_reg=True, norm_on_bbox=True)
    return config


def double_head():
    config = small_config(FASTER, width=8)
    config.roi_head.update(type='DoubleHeadRoIHead', reg_roi_scale_factor=1.3)
    config.roi_head.bbox_head = {**DOUBLE_HEAD, 'in_channels': 32}
    return config


def separate_branches():
    config = small_config(FASTER, width=8)
    config.roi_head.bbox_head.update(
        type='ConvFCBBoxHead', num_reg_convs=2, num_reg_fcs=1, num_cls_convs=1, num_cls_fcs=1
    )
    return config


TEACHERS = {
    'faster': (FASTER, lambda: small_config(FASTER, width=8), {'fc_reg'}),
    'branches': (FASTER, separate_branches, {'reg_convs.0', 'reg_convs.1', 'reg_fcs.0', 'fc_reg'}),
    'double': (FASTER, double_head, {'res_block', 'conv_branch.0', 'fc_reg'}),
    'cascade': (
        CASCADE,
        lambda: small_config(CASCADE, width=8),
        {'0.fc_reg', '1.fc_reg', '2.fc_reg'},
    ),
    'retina': (RETINA, lambda: small_config(RETINA, width=8), {'reg_convs.0', 'retina_reg'}),
    'fcos': (
        FCOS,
        lambda: small_config(FCOS, width=8),
        {'reg_convs.0', 'conv_reg', 'conv_centerness', *(f'scales.{i}' for i in range(5))},
    ),
    'fcos_centerness_on_reg': (
        FCOS,
        fcos_with_centerness_beside_boxes,
        {'reg_convs.0', 'conv_reg', 'conv_centerness', *(f'scales.{i}' for i in range(5))},
    ),
    'atss': (
        ATSS,
        lambda: small_config(ATSS, width=8),
        {'reg_convs.0', 'atss_reg', 'atss_centerness', *(f'scales.{i}' for i in range(5))},
    ),
    'gfl': (
        GFL,
        lambda: small_config(GFL, width=8),
        {'reg_convs.0', 'gfl_reg', *(f'scales.{i}' for i in range(5))},
    ),
}


def logits(distiller, features):
    if not hasattr(distiller, 'roi_head'):
        return distiller.teacher_logits(features)
    rois = torch.tensor([[0, 0, 0, 16, 24], [0, 4, 4, 30, 20.0]])
    return distiller._classify(features, [rois] * len(distiller.teacher_session.heads))


@pytest.mark.parametrize('kind', TEACHERS)
def test_the_cut_teachers_logits_are_the_full_ones_bit_for_bit(tmp_path, kind):
    student, teacher, absent = TEACHERS[kind]
    teacher = teacher()
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    distiller = build(distiller_config(small_config(student), teacher, checkpoint))
    full = TeacherSource(teacher, checkpoint).load()
    calls = []
    with watch_forward(
        distiller.teacher_session.model.backbone, lambda arguments, _: calls.append(arguments['x'])
    ):
        training_losses(distiller)

    cut = distiller.teacher_session.model
    named = {
        name.removeprefix('roi_head.').removeprefix('bbox_head.')
        for name, module in cut.named_modules()
        if isinstance(module, Absent)
    }
    assert named == absent
    features = full.model.extract_feat(calls[0])
    seen = logits(distiller, features)
    distiller.teacher_session.teacher = full
    expected = logits(distiller, features)
    assert len(seen) == len(expected)
    for ours, theirs in zip(seen, expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_the_teacher_proposes_and_suppresses_nothing(tmp_path, name, monkeypatch):
    teacher = small_config(name, width=8)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    distiller = build(distiller_config(small_config(name), teacher, checkpoint))
    distiller.path_check = False  # which looks once at what the teacher's predict does
    model = distiller.teacher_session.model

    def refuse(*_, **__):
        raise AssertionError('The teacher does more than its class logits need.')

    for head in [model.rpn_head, model.roi_head] if name == FASTER else [model.bbox_head]:
        for method in ('predict', 'predict_by_feat'):
            monkeypatch.setattr(head, method, refuse, raising=False)
    if name == FASTER:
        monkeypatch.setattr(model.rpn_head, 'forward', refuse)
    training_losses(distiller)


def test_cutting_draws_no_random_number_and_leaves_the_teacher_frozen(tmp_path):
    config = small_config(RETINA)
    model = TeacherSource(config, save_teacher(config, tmp_path / 'teacher.pth')).load().model
    features = tuple(torch.randn(1, 32, size, size) for size in (8, 4, 2, 1, 1))
    before = torch.get_rng_state()
    assert cut_dead_branches(model, lambda: model.bbox_head(features)[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())


class Gated(nn.Module):
    """A head whose boxes steer its logits out of autograd's sight."""

    def __init__(self):
        super().__init__()
        self.cls, self.gate, self.reg = (nn.Conv2d(4, 4, 1) for _ in range(3))

    def forward(self, x):
        gate = self.gate(x).detach() > 0
        self.reg(x).mul_(2)
        return [self.cls(x) * gate]


def test_what_cannot_be_cut_safely_stays():
    """A detached gate changes the logits; an in-place product refuses a broadcast zero."""
    model, x = Gated().eval().requires_grad_(False), torch.randn(1, 4, 5, 5)
    before = copy.deepcopy(model.state_dict())
    assert cut_dead_branches(model, lambda: model(x)) == []
    assert model.state_dict().keys() == before.keys()


class Nested(nn.Module):
    """A dead branch of modules that run one after the other within one that is called."""

    def __init__(self):
        super().__init__()
        self.cls = nn.Conv2d(4, 4, 1)
        self.branch = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))

    def forward(self, x):
        return [self.cls(x)], self.branch(x)


def test_the_largest_dead_module_goes():
    model, x = Nested().eval().requires_grad_(False), torch.randn(2, 4, 5, 5)
    assert cut_dead_branches(model, lambda: model(x)[0]) == ['branch']
    assert model(x)[1].shape == (2, 2, 5, 5)
    assert model(x)[1].abs().sum() == 0


def test_nothing_to_cut_where_nothing_has_a_gradient():
    model = nn.Linear(2, 2).requires_grad_(False)
    x = torch.zeros(1, 2)

    @torch.no_grad()
    def logits():
        return [model(x)]

    assert cut_dead_branches(model, logits) == []
