"""Losses along the candidates in training, alone and beside the others, in every family."""

from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.optim import OptimWrapper

from mmdet_kdrank.losses import CandidateLoss
from tests.detectors import (
    ATSS,
    CASCADE,
    FASTER,
    FCOS,
    KD,
    RANK,
    RETINA,
    build,
    distiller_config,
    raw_batch,
    save_teacher,
    small_config,
    training_losses,
)
from tests.losses.candidate_conformance import CandidateConformance

PAGE = Path(__file__).parents[2] / 'docs' / 'explanation' / 'candidate_ranking.md'

CLASS_RANK = dict(type='CandidateRankLoss', score_thr=0.02)
ALL = dict(
    loss_kd=KD,
    loss_rank=RANK,
    loss_crank=CLASS_RANK,
    loss_batch=dict(CLASS_RANK, scope='batch', form='cosine'),
    loss_orank=dict(type='CandidateRankLoss', rows='object'),
    loss_rm=dict(type='RankMimicLoss'),
    loss_crm=dict(type='RankMimicLoss', rows='class', score_thr=0.02, over='log_odds'),
)
ALONG_CANDIDATES = [name for name in ALL if name not in ('loss_kd', 'loss_rank')]


def make(tmp_path, name, change=lambda config: None, meta=None, classes=5, **options):
    teacher, student = small_config(name, width=8), small_config(name, num_classes=classes)
    change(teacher)
    change(student)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth', meta=meta)
    options.setdefault('distill_losses', ALL)
    return build(distiller_config(student, teacher, checkpoint, **options))


def class_weight(model):
    """The student's weights that make class logits, those of the first stage."""
    names = [n for n, _ in model.named_parameters() if 'cls' in n and n.endswith('weight')]
    return dict(model.named_parameters())[next(n for n in names if 'rpn' not in n)]


@pytest.mark.parametrize('name', [FASTER, CASCADE, RETINA, FCOS, ATSS])
def test_every_family_trains_with_all_of_them_together(tmp_path, name):
    model = make(tmp_path, name)
    log = training_losses(model)
    weight = class_weight(model)
    # Untrained boxes find no second positive for an object in the later stages.
    stage = 's0.' if name == CASCADE else ''
    for key in ALONG_CANDIDATES:
        (grad,) = torch.autograd.grad(log[stage + key], weight, retain_graph=True)
        assert 0 < log[stage + key] < 2, key
        assert grad.isfinite().all() and grad.ne(0).any(), key
    if name == CASCADE:
        assert log['s2.loss_crank'] > 0
        assert {f's{s}.{key}' for s in range(3) for key in ALL} < log.keys()


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_one_optimizer_step(tmp_path, name):
    model = make(tmp_path, name)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    before = class_weight(model).detach().clone()
    log = model.train_step(raw_batch(), optimizer)
    assert ALL.keys() < log.keys()
    assert not torch.equal(class_weight(model), before)
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_no_ground_truth(tmp_path, name):
    log = training_losses(make(tmp_path, name), boxes=0)
    assert log['loss_rm'] == log['loss_orank'] == 0
    assert log['loss_crank'] > 0
    sum(log[key] for key in ALL).backward()


@pytest.mark.parametrize('channels', ['all', 'foreground'])
@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_a_teacher_of_other_classes(tmp_path, name, channels, monkeypatch):
    monkeypatch.setattr(
        'mmdet_kdrank.distillers.session.training_classes', lambda: ('d', 'zebra', 'a')
    )
    meta = dict(dataset_meta=dict(classes=tuple('abcde')))
    model = make(tmp_path, name, meta=meta, classes=3, channels=channels)
    log = training_losses(model, num_classes=3, boxes=12)
    assert all(0 < log[key] < 3 for key in ALONG_CANDIDATES)


def test_a_dense_softmax_head(tmp_path):
    def softmax(config):
        config.bbox_head.loss_cls = dict(type='CrossEntropyLoss')

    log = training_losses(make(tmp_path, RETINA, softmax))
    assert all(0 < log[key] < 2 for key in ALONG_CANDIDATES)


def test_a_single_class_is_enough(tmp_path):
    """Where there is no order of classes to learn, there is one of anchors."""

    def single(config):
        config.bbox_head.num_classes = 1

    losses = {key: ALL[key] for key in ALONG_CANDIDATES}
    log = training_losses(make(tmp_path, RETINA, single, distill_losses=losses), num_classes=1)
    assert all(0 < log[key] < 2 for key in ALONG_CANDIDATES)
    assert 'distill_tau' not in log


def test_a_subclass_without_a_formula_says_so(tmp_path):
    loss = CandidateLoss()
    with pytest.raises(NotImplementedError, match='CandidateLoss must define row_loss'):
        loss.row_loss(torch.zeros(1, 2), torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool))


def test_every_registered_loss_runs_the_suite_and_is_documented():
    registered = {
        name
        for name, cls in MODELS.module_dict.items()
        if isinstance(cls, type) and issubclass(cls, CandidateLoss)
    }
    tested = {
        suite.type
        for path in Path(__file__).parent.glob('test_*.py')
        for suite in vars(import_module(f'tests.losses.{path.stem}')).values()
        if isinstance(suite, type) and issubclass(suite, CandidateConformance)
        if hasattr(suite, 'type')
    }
    assert registered == tested
    assert all(f'`{name}`' in PAGE.read_text() for name in registered)
