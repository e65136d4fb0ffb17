import pytest
import torch

from benchmarks.training.batches import make_batch
from benchmarks.training.settings import FAMILIES, Setting
from benchmarks.training.terms import make_terms
from benchmarks.training.variants import make_detector, make_step, prepare, variants_of
from mmdet_kdrank.heads.capture import watch_forward


@pytest.fixture(scope='module', params=FAMILIES)
def job(request, tmp_path_factory):
    setting = Setting(request.param, 64, 64, batch=2, coco=False)
    return prepare(setting, tmp_path_factory.mktemp(request.param))


def losses(job, variant):
    """Losses of a seeded pass, and how often the student's RoI head ran."""
    model = make_detector(job, variant)
    runs = []
    head = model.roi_head.bbox_head if hasattr(model, 'roi_head') else model.bbox_head
    with watch_forward(head, lambda *_: runs.append(1)):
        torch.manual_seed(3)
        data = model.data_preprocessor(make_batch(job.setting), training=True)
        values = model(**data, mode='loss')
    return {key: torch.as_tensor(value) for key, value in values.items()}, len(runs)


def test_variants_differ_in_work_and_not_in_result(job):
    expected, _ = losses(job, 'kd_rank')
    assert {'loss_kd', 'loss_rank', 'distill_tau'} < expected.keys()
    for variant in variants_of(job.setting.family):
        values, runs = losses(job, variant)
        assert runs == (2 if variant == 'kd_rank_second_pass' else 1)
        assert all(torch.equal(values[key], expected[key]) for key in values if 'loss' in key)
        assert ('loss_kd' in values) == (variant.startswith('kd'))
        assert ('loss_rank' in values) == ('rank' in variant)


def test_a_step_trains_nothing_and_runs_again(job):
    step = make_step(job, 'kd_rank')
    torch.manual_seed(5)
    first = step()
    torch.manual_seed(5)
    assert step()['loss'] == first['loss']


def test_the_parts_run_alone(job):
    calls, rows = make_terms(job)
    assert rows == 128 if job.setting.family == 'faster_rcnn' else rows > 128
    assert list(calls) == ['teacher_forward', 'selector', 'kd', 'rank', 'agreement', 'balance']
    assert calls['agreement']().keys() == {'distill_tau', 'distill_top1'}
    logits = calls['teacher_forward']()
    assert not (logits if isinstance(logits, torch.Tensor) else logits[0]).requires_grad
    for call in calls.values():
        call()


def test_an_unknown_variant_is_refused(job):
    with pytest.raises(ValueError, match="no variant 'twice', only student, teacher"):
        make_detector(job, 'twice')
