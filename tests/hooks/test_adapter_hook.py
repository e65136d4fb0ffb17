import pytest
import torch
from mmdet.registry import MODELS
from mmengine.runner.checkpoint import load_checkpoint

import mmdet_kdrank  # noqa: F401  registers detectors and hooks
from mmdet_kdrank.hooks.adapter_hook import KEY
from tests.detectors import RETINA, distiller_config, save_teacher, small_config
from tests.runners import Act, make_runner, train

HOOK = dict(type='DistillAdapterHook')
EMA = dict(type='EMAHook')
MIMIC = dict(type='FeatureMimicLoss', student_channels=[32] * 5, teacher_channels=[16] * 5)
TWO = dict(by_epoch=True, max_epochs=2)


@pytest.fixture
def student(tmp_path):
    """A function that gives the config of a student with these entries of distill_features."""
    teacher = small_config(RETINA, width=8)
    teacher.neck.out_channels = teacher.bbox_head.in_channels = 16
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')

    def make(**features):
        return distiller_config(
            small_config(RETINA), teacher, checkpoint, distill_features=features
        )

    return make


def adapters(model):
    return model.distill_features.adapters()['loss_mimic']


def spoil(runner):
    next(iter(adapters(runner.model).values())).fill_(float('nan'))


def equal(left, right):
    assert left.keys() == right.keys()
    return all(torch.equal(value, right[key]) for key, value in left.items())


@pytest.mark.parametrize('more', [[], [EMA]], ids=['alone', 'with EMA'])
def test_a_resumed_run_equals_an_uninterrupted_one(student, tmp_path, more):
    """Bit for bit: the student, the adapters, and their momentum in the optimizer."""
    config, hooks = student(loss_mimic=MIMIC), [HOOK, *more]
    whole = make_runner(config, tmp_path / 'whole', hooks, train_cfg=TWO)
    expected = whole.train()
    half = tmp_path / 'whole' / 'epoch_1.pth'
    resumed = make_runner(
        config, tmp_path / 'resumed', hooks, train_cfg=TWO, resume=True, load_from=str(half)
    )
    assert not equal(adapters(resumed.model), adapters(expected))
    model = resumed.train()
    assert equal(adapters(model), adapters(expected))
    assert equal(model.state_dict(), expected.state_dict())
    saved = [torch.load(tmp_path / run / 'epoch_2.pth') for run in ('whole', 'resumed')]
    assert equal(*(checkpoint[KEY]['loss_mimic'] for checkpoint in saved))
    assert equal(*(checkpoint['state_dict'] for checkpoint in saved))
    moments = [checkpoint['optimizer']['state'] for checkpoint in saved]
    assert len(moments[0]) == len(list(filter(lambda p: p.requires_grad, model.parameters())))
    assert all(equal(value, moments[1][key]) for key, value in moments[0].items())


@pytest.mark.parametrize('more', [[], [EMA]], ids=['alone', 'with EMA'])
def test_the_checkpoint_is_a_plain_students(student, tmp_path, more):
    make_runner(student(loss_mimic=MIMIC), tmp_path, [HOOK, *more]).train()
    stock = MODELS.build(small_config(RETINA))
    checkpoint = load_checkpoint(stock, str(tmp_path / 'epoch_1.pth'), strict=True)
    assert equal(stock.state_dict(), checkpoint['state_dict'])
    ema = checkpoint.get('ema_state_dict', {})
    assert not any('distill' in key for key in ema) and bool(ema) == bool(more)


def test_without_adapters_the_hook_adds_nothing(student, tmp_path):
    make_runner(student(), tmp_path, [HOOK]).train()
    assert KEY not in torch.load(tmp_path / 'epoch_1.pth')


def test_a_new_run_takes_over_the_adapters_of_what_it_starts_from(student, tmp_path):
    trained = make_runner(student(loss_mimic=MIMIC), tmp_path / 'first', [HOOK]).train()
    runner = make_runner(
        student(loss_mimic=MIMIC),
        tmp_path / 'second',
        [HOOK],
        load_from=str(tmp_path / 'first' / 'epoch_1.pth'),
    )
    assert not equal(adapters(runner.model), adapters(trained))
    runner.model.train_step = lambda *_, **__: {}
    assert equal(adapters(runner.train()), adapters(trained))


def test_all_ranks_begin_with_the_same_adapters(student, tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr('mmdet_kdrank.hooks.adapter_hook.broadcast', sent.append)
    model = make_runner(student(loss_mimic=MIMIC), tmp_path, [HOOK]).train()
    parameters = model.distill_features.parameters()
    assert [value.data_ptr() for value in sent] == [value.data_ptr() for value in parameters]


def test_adapters_do_not_train_without_the_hook(student, tmp_path):
    runner = make_runner(student(loss_mimic=MIMIC), tmp_path)
    with pytest.raises(RuntimeError, match="loss_mimic trains adapters.* Add dict.type='DistillA"):
        runner.train()


def test_resuming_a_checkpoint_without_adapters_is_refused(student, tmp_path):
    config = student(loss_mimic=MIMIC)
    make_runner(config, tmp_path, [HOOK]).train()
    path = tmp_path / 'epoch_1.pth'
    checkpoint = torch.load(path)
    del checkpoint[KEY]
    torch.save(checkpoint, path)
    runner = make_runner(config, tmp_path, [HOOK], train_cfg=TWO, resume=True, load_from=str(path))
    with pytest.raises(
        ValueError, match='resumes at iteration 2, .* has no distill_adapters: .*los'
    ):
        runner.train()


def test_adapters_that_do_not_fit_are_refused(student, tmp_path):
    make_runner(student(loss_mimic=MIMIC), tmp_path, [HOOK]).train()
    runner = make_runner(
        student(loss_other=MIMIC), tmp_path, [HOOK], load_from=str(tmp_path / 'epoch_1.pth')
    )
    with pytest.raises(ValueError, match='do not fit distill_features, which has loss_other'):
        runner.train()


def test_evaluation_ignores_the_adapters(student, tmp_path):
    make_runner(student(loss_mimic=MIMIC), tmp_path, [HOOK]).train()
    runner = make_runner(
        student(loss_other=MIMIC), tmp_path, [HOOK], load_from=str(tmp_path / 'epoch_1.pth')
    )
    runner.call_hook('before_run')
    runner.load_or_resume()
    assert equal(runner.model.state_dict(), torch.load(tmp_path / 'epoch_1.pth')['state_dict'])


def test_a_stock_detector_is_refused(tmp_path):
    with pytest.raises(TypeError, match='DistillAdapterHook needs .* model is a RetinaNet'):
        make_runner(small_config(RETINA), tmp_path, [HOOK]).train()


def test_adapters_with_nan_are_not_written(student, tmp_path):
    """Refused by the hook that refuses such weights; they are in no state_dict."""
    hooks = [HOOK, Act('after_train_iter', spoil, 2)]
    checkpoint = dict(type='SafeCheckpointHook', interval=1)
    runner = make_runner(
        student(loss_mimic=MIMIC),
        tmp_path / 'work',
        hooks,
        default_hooks=dict(checkpoint=checkpoint),
    )
    with pytest.raises(FloatingPointError, match=rf'{KEY}\.loss_mimic'):
        train(runner)
    assert not list((tmp_path / 'work').glob('*.pth'))
