import pytest
from mmengine.config import Config
from mmengine.hooks import EarlyStoppingHook

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.runs.training_job import check_early_stopping, last_checkpoint_name


def finished(training, root):
    assert training.start(root, {}).wait() == 0
    training.note_memory(2.0)
    training.note_memory(1.0)
    training.mark_done()


def test_command_is_a_users_and_resumes(checkout, training):
    finished(training(), checkout)
    call = (training().work_dir / 'calls').read_text()
    expected = f'{checkout}/config.py --work-dir {checkout}/work/one --resume --cfg-options ending='
    assert call.startswith(expected)


def test_settings_are_the_config_with_the_options(training):
    assert training(ending='7').settings.ending == 7
    assert training().iterations == 5
    assert training().checkpoint.name == 'iter_5.pth'


def test_done_holds_for_this_very_training_alone(checkout, training):
    assert not training().is_done()
    finished(training(), checkout)
    assert training().is_done()
    assert not training(depends='other pictures').is_done()
    assert not training(ending='otherwise').is_done()
    (checkout / 'config.py').write_text('train_cfg = dict(max_iters=6)\n')
    assert not training().is_done()


def test_unfinished_training_goes_on_in_its_folder(checkout, training):
    assert training().start(checkout, {}).wait() == 0
    assert not training().is_done()
    finished(training(), checkout)
    assert len((training().work_dir / 'calls').read_text().splitlines()) == 2


def test_another_training_starts_from_an_empty_folder(checkout, training):
    finished(training(), checkout)
    other = training(depends='other pictures')
    finished(other, checkout)
    assert len((other.work_dir / 'calls').read_text().splitlines()) == 1


def test_starts_are_counted_and_the_memory_is_noted(checkout, training):
    assert training().start(checkout, {}).wait() == 0
    finished(training(), checkout)
    state = training().state
    assert (state['starts'], state['peak_memory'], state['done']) == (2, 2.0, True)


STOPPING = (
    "train_cfg = dict(max_epochs=9)\ncustom_hooks = [dict(type='mmengine.EarlyStoppingHook')]"
)


def test_the_last_checkpoint_of_a_training_that_stops_early_is_the_one_noted(checkout, training):
    (checkout / 'config.py').write_text(STOPPING)
    assert training().checkpoint.name == 'epoch_9.pth'
    training().work_dir.mkdir(parents=True)
    (training().work_dir / 'last_checkpoint').write_text('/moved/since/epoch_4.pth')
    assert training().checkpoint == training().work_dir / 'epoch_4.pth'


def test_early_stopping_is_refused_where_no_checkpoint_would_be_found(checkout):
    settings = Config(
        dict(
            train_cfg=dict(max_epochs=9, val_interval=2),
            custom_hooks=[dict(type=EarlyStoppingHook)],
            default_hooks=dict(checkpoint=dict(interval=3)),
        )
    )
    with pytest.raises(ArgumentError, match='interval=3.* Set default_hooks.checkpoint.interval=2'):
        check_early_stopping('kd', settings, awaited=False)
    settings.default_hooks.checkpoint.interval = 2
    check_early_stopping('kd', settings, awaited=False)
    with pytest.raises(ArgumentError, match='Remove the hook from custom_hooks of teacher, or'):
        check_early_stopping('teacher', settings, awaited=True)
    settings.custom_hooks = []
    check_early_stopping('teacher', settings, awaited=True)


@pytest.mark.parametrize(
    'loop, hook, name',
    [
        (dict(max_iters=7), dict(by_epoch=False), 'iter_7.pth'),
        (dict(max_epochs=3), {}, 'epoch_3.pth'),
        (dict(max_epochs=3), dict(filename_tmpl='at_{}.pth'), 'at_3.pth'),
    ],
)
def test_last_checkpoint_is_named_as_mmengine_names_it(loop, hook, name):
    settings = Config(dict(train_cfg=loop, default_hooks=dict(checkpoint=hook)))
    assert last_checkpoint_name(settings) == name


def test_hook_that_counts_otherwise_than_the_loop_is_refused():
    settings = Config(dict(train_cfg=dict(max_iters=7), default_hooks=dict(checkpoint={})))
    with pytest.raises(ArgumentError, match='checkpoint.by_epoch=False'):
        last_checkpoint_name(settings)


def test_progress_and_last_words_come_from_its_logs(checkout, training):
    failing = training(ending='fails')
    assert failing.progress() == 'one: starting'
    assert failing.start(checkout, {}).wait() == 1
    assert failing.progress() == 'one: 3/5, 0:04 left'
    assert failing.last_words() == 'no such teacher'
