"""What this package registers is found in every scope, and a teacher in that of its own config."""

import pytest
import torch
from mmdet.registry import DATASETS, HOOKS, MODELS, TASK_UTILS, VISUALIZERS
from mmengine.config import Config
from mmengine.registry import DefaultScope, Registry

from mmdet_kdrank import losses
from mmdet_kdrank.distillers import GroundTruth
from mmdet_kdrank.scopes import build, find, register
from mmdet_kdrank.teachers.teacher import TeacherSource
from tests.anybody import SCOPE, AnybodysNet, own_batch, own_config, registered
from tests.detectors import KD, RANK, RETINA, save_teacher, small_config

NAMES = {
    'DistillSingleStageDetector': MODELS,
    'DistillTwoStageDetector': MODELS,
    # The base classes among them are not registered.
    **{name: MODELS for name in losses.__all__ if name in MODELS.module_dict},
    'TopkSamples': TASK_UTILS,
    'PositiveSamples': TASK_UTILS,
    'DistillWeightHook': HOOKS,
    'VerifyTeacherHook': HOOKS,
    'ShapesDataset': DATASETS,
    'DetTensorboardVisualizer': VISUALIZERS,
}


@pytest.fixture(autouse=True)
def project():
    with registered():
        yield


@pytest.mark.parametrize('scope', [SCOPE, 'mmdet', 'mmengine'])
@pytest.mark.parametrize('name', NAMES)
def test_our_names_resolve_with_and_without_the_prefix_of_mmdetection(name, scope):
    with NAMES[name].switch_scope_and_registry(scope) as registry:
        assert registry.scope == scope
        own = registry.get(name)
        assert own.__name__ == name and own.__module__.startswith('mmdet_kdrank.')
        assert registry.get(f'mmdet.{name}') is own


def test_a_scope_may_have_its_own_class_of_a_name():
    class KendallRankLoss(torch.nn.Module): ...

    own = MODELS.parent.children[SCOPE]
    own.register_module(module=KendallRankLoss)
    assert find(MODELS, 'KendallRankLoss') is KendallRankLoss
    assert find(MODELS, 'mmdet.KendallRankLoss') is not KendallRankLoss
    assert find(MODELS, 'KendallRankLoss', 'mmdet') is not KendallRankLoss


def test_losses_of_mmdetection_need_no_prefix():
    loss = build(MODELS, dict(type='LSKDLoss', loss=KD))
    assert type(loss.loss).__name__ == KD['type']
    with pytest.raises(KeyError, match='NoSuchLoss is not in the anybody::model registry'):
        build(MODELS, dict(type='NoSuchLoss'))


def distilled(folder, student, teacher, **options):
    checkpoint = save_teacher(teacher, folder / 'teacher.pth')
    torch.manual_seed(0)
    config = dict(
        student,
        type='DistillSingleStageDetector',
        student_type='AnybodysNet',
        teacher=dict(config=teacher, checkpoint=checkpoint),
        **dict(distill_losses=dict(loss_kd=KD, loss_rank=RANK)) | options,
    )
    model = MODELS.build(config)
    model.init_weights()
    return model


def test_a_step_in_another_scope_with_a_batch_and_arguments_of_its_own(tmp_path):
    student, teacher = own_config(RETINA), own_config(RETINA)
    # Another normalisation, and another order of the channels.
    teacher['data_preprocessor'] = dict(
        type='AnybodysPreprocessor', mean=[103.5, 116.3, 123.7], std=[1.0, 1.0, 1.0]
    )
    model = distilled(tmp_path, student, teacher)
    assert isinstance(model, AnybodysNet)
    rows, select = [], model.distill_terms.selector
    model.distill_terms.selector = lambda samples: rows.append(samples) or select(samples)
    losses = model(**model.data_preprocessor(own_batch(), True), mode='loss', factor=0.5)
    assert losses['loss_kd'] > 0 and losses['loss_rank'] > 0
    plain = MODELS.build(student)
    plain.load_state_dict(model.state_dict())
    alone = plain(**plain.data_preprocessor(own_batch(), True), mode='loss', factor=0.5)
    for name, values in alone.items():
        assert torch.equal(torch.stack(values), torch.stack(losses[name])), name

    source = TeacherSource(teacher, str(tmp_path / 'teacher.pth')).load().model
    seen = source(source.data_preprocessor(own_batch(), True)['inputs'], mode='tensor')[0]
    expected = torch.cat([m.permute(0, 2, 3, 1).reshape(2, -1, 5).flatten(0, 1) for m in seen])
    torch.testing.assert_close(rows[0].teacher, expected, rtol=1e-3, atol=1e-4)


def test_losses_that_need_boxes_read_the_annotations_of_such_a_batch(tmp_path):
    crank = dict(type='CandidateRankLoss', rows='object')
    config = own_config(RETINA)
    model = distilled(tmp_path, config, config, distill_losses=dict(loss_crank=crank))
    losses = model(**model.data_preprocessor(own_batch(), True), mode='loss')
    assert losses['loss_crank'] > 0
    truth = GroundTruth.from_data_samples(own_batch()['data_samples'])
    assert truth.boxes.shape == (6, 4) and truth.labels.dtype == torch.int64
    assert truth.image.tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(TypeError, match='a dict of masks.*only one with bboxes_labels'):
        GroundTruth.from_data_samples(dict(masks=[]))


def test_a_teacher_dict_is_built_in_the_scope_of_the_student(tmp_path):
    config = own_config(RETINA)
    checkpoint = save_teacher(config, tmp_path / 'teacher.pth')
    source = TeacherSource(config, checkpoint)
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert isinstance(source.load().model, AnybodysNet)


@pytest.mark.parametrize('student_scope', [SCOPE, 'mmdet'])
def test_a_teacher_file_has_its_own_scope_for_its_model_and_its_data_set(tmp_path, student_scope):
    dataset = dict(type='AnybodysDataset')
    file = tmp_path / 'teacher.py'
    Config(
        dict(default_scope=SCOPE, model=own_config(RETINA), train_dataloader=dict(dataset=dataset))
    ).dump(file)
    checkpoint = save_teacher(own_config(RETINA), tmp_path / 'teacher.pth')
    with DefaultScope.overwrite_default_scope(student_scope):
        teacher = TeacherSource(str(file), checkpoint).load()
    assert isinstance(teacher.model, AnybodysNet)
    assert teacher.classes == tuple('edcba')


def test_a_data_set_that_is_not_registered_is_only_missed_where_the_names_are(tmp_path):
    file, model = tmp_path / 'teacher.py', small_config(RETINA)
    Config(dict(model=model, train_dataloader=dict(dataset=dict(type='GoneDataset')))).dump(file)
    with DefaultScope.overwrite_default_scope('mmdet'):
        meta = dict(dataset_meta=dict(classes=tuple('abcde')))
        named = save_teacher(model, tmp_path / 'named.pth', meta=meta)
        assert TeacherSource(str(file), named).load().classes == tuple('abcde')
        with pytest.raises(KeyError, match='GoneDataset is not registered in the scope mmdet'):
            TeacherSource(str(file), save_teacher(model, tmp_path / 'teacher.pth')).load()


def test_a_package_that_is_missing_is_named_and_not_installed(monkeypatch):
    """MMEngine installs the package of a config that is asked for by `package::`."""
    installs = []
    monkeypatch.setattr('mmengine.hub.hub.install_package', installs.append)
    monkeypatch.setattr('mmdet_kdrank.teachers.teacher.find_spec', lambda name: None)
    source = TeacherSource('mmseg::net/net.py', 'teacher.pth')
    with pytest.raises(ValueError, match='mmseg is not installed here. Correct the name, or'):
        source.load()
    assert not installs


def test_a_fork_keeps_its_class_of_the_same_name():
    class PKDLoss(torch.nn.Module): ...

    root = Registry('fork root')
    fork = Registry('fork', parent=root, scope='fork')
    fork.register_module(module=PKDLoss)
    own = register(fork)(type('PKDLoss', (), {}))
    assert fork.get('PKDLoss') is PKDLoss and root.get('PKDLoss') is own
