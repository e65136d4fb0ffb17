import torch
from PIL import Image

from experiments.claims import landscape
from experiments.claims.landscape import draw_landscapes, slice_of, three_classes
from experiments.claims.terms import kd
from tests.experiments.claims.sets import SETS


def test_a_slice_goes_through_teacher_student_and_start():
    logits = SETS[0]
    plane = slice_of(logits)
    at = {name: plane.at(torch.tensor([point]).double()) for name, point in plane.points.items()}
    torch.testing.assert_close(at['t'], logits.teacher[:1])
    torch.testing.assert_close(at['s'], logits.student[:1])
    torch.testing.assert_close(at['start'], landscape.random_start(logits.first(1)))
    assert abs(float((plane.axes[0] * plane.axes[1]).sum())) < 1e-9


def test_three_classes_have_their_teacher_at_the_origin():
    plane = three_classes()
    torch.testing.assert_close(
        plane.logits.probability(), torch.tensor([[0.9, 0.09, 0.01]]).double()
    )
    gradient = kd(plane.logits).gradient(plane.logits, plane.at(torch.zeros(1, 2).double()))
    assert gradient.abs().max() < 1e-9


def test_both_planes_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(landscape, '_STEPS', 20)
    draw_landscapes(SETS, tmp_path / 'plot.png')
    assert Image.open(tmp_path / 'plot.png').size == (1350, 684)
