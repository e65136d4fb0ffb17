"""A student that starts with parts of its teacher."""

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from mmdet_kdrank.distillers.inherit import inherit_weights
from tests.detectors import (
    FASTER,
    RETINA,
    build,
    distiller_config,
    save_teacher,
    small_config,
    training_losses,
)


def make(name, folder, meta=None, **options):
    """A student of half its teacher's backbone, with the same neck and heads."""
    teacher = small_config(name, width=8)
    checkpoint = save_teacher(teacher, folder / 'teacher.pth', meta=meta)
    return build(distiller_config(small_config(name), teacher, checkpoint, **options))


def changed(name, folder, **options):
    """Names of the tensors that are not the plain student's, and the model."""
    plain, model = make(name, folder).state_dict(), make(name, folder, **options)
    state = model.state_dict()
    return {key for key, value in plain.items() if not torch.equal(value, state[key])}, model


@pytest.mark.parametrize('name', [FASTER, RETINA])
@pytest.mark.parametrize('parts', [('neck', 'head'), ('neck',), 'head'])
def test_copies_what_agrees_in_name_and_shape(name, parts, tmp_path):
    keys, model = changed(name, tmp_path, inherit=parts)
    teacher, state = model.teacher_session.model.state_dict(), model.state_dict()
    parts = [parts] if isinstance(parts, str) else parts
    expected = {
        key
        for key, value in state.items()
        if key.split('.')[0].endswith(tuple(parts)) and value.shape == teacher[key].shape
    }
    assert any('fpn_convs' in key for key in expected) == ('neck' in parts)
    assert any('cls' in key for key in expected) == ('head' in parts)
    assert not any('lateral_convs.1.conv.weight' in key for key in expected)
    assert all(torch.equal(state[key], teacher[key]) for key in expected)
    assert keys <= expected
    training_losses(model)


def test_nothing_by_default(tmp_path):
    assert not changed(RETINA, tmp_path)[0]


def test_the_log_says_how_much(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmdet_kdrank.distillers.inherit.print_log', lambda text, **_: said.append(text)
    )
    make(RETINA, tmp_path, inherit=('neck', 'head'))
    assert said[0] == (
        "The student's neck starts with 12 of 16 tensors of the teacher's. Not: "
        'neck.lateral_convs.0.conv.weight, neck.lateral_convs.1.conv.weight, '
        'neck.lateral_convs.2.conv.weight, neck.fpn_convs.3.conv.weight'
    )
    assert said[1] == "The student's head starts with 8 of 8 tensors of the teacher's."


@pytest.mark.parametrize('order', ['edcba', 'abcdx'])
def test_refuses_a_class_layer_of_other_classes(order, tmp_path, monkeypatch):
    monkeypatch.setattr('mmdet_kdrank.distillers.inherit.training_classes', lambda: tuple('abcde'))
    meta = dict(dataset_meta=dict(classes=tuple(order)))
    with pytest.raises(ValueError, match="class layer means other things. Leave 'head' out"):
        make(RETINA, tmp_path, meta, inherit=('neck', 'head'))
    make(RETINA, tmp_path, meta, inherit=('neck',))


def test_refuses_a_part_that_is_unknown_or_has_nothing_in_common():
    MessageHub.get_instance('inherit')
    small, large = (nn.ModuleDict(dict(neck=nn.Linear(n, n))) for n in (2, 3))
    with pytest.raises(ValueError, match="names 'backbone'; choose of 'neck', 'head'"):
        inherit_weights(small, large, ('neck', 'backbone'))
    with pytest.raises(ValueError, match="of the student's neck, no weight .* Leave 'neck' out"):
        inherit_weights(small, large, ('neck',))
