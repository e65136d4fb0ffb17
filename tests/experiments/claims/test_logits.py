import torch

from experiments.claims.logits import LogitSet, normal, random_logits


def test_random_logits_follow_from_the_seed_alone():
    one, same, other = random_logits(0), random_logits(0), random_logits(1)
    assert torch.equal(one.teacher, same.teacher)
    assert not torch.equal(one.teacher, other.teacher)
    assert (one.teacher.std() - 3).abs() < 0.1
    assert ((one.student - one.teacher).std() - 1).abs() < 0.05
    assert torch.equal(one.labels, one.teacher.argmax(1))


def test_numbers_for_different_purposes_are_independent():
    shape = (300, 28)
    names = ('near', 'teacher 0', 'student 0', 'start random')
    drawn = torch.stack([normal(shape, name).flatten() for name in names])
    assert (torch.corrcoef(drawn) - torch.eye(len(names))).abs().max() < 0.05


def test_a_near_student_is_off_by_the_noise():
    logits = random_logits()
    near = logits.near(0.1)
    assert ((near.student - near.teacher).std() - 0.1).abs() < 0.005
    assert torch.equal(near.teacher, logits.teacher)


def test_unlikely_is_what_the_teacher_hardly_believes():
    teacher = torch.tensor([[0.0, -8.0, -5.0]]).double()
    rows = LogitSet('row', teacher, teacher, torch.tensor([0]))
    assert rows.unlikely().tolist() == [[False, True, False]]
    sigmoids = LogitSet('row', teacher, teacher, torch.tensor([0]), 'sigmoid')
    assert sigmoids.probability()[0, 0] == 0.5
    assert sigmoids.unlikely().tolist() == [[False, True, False]]
