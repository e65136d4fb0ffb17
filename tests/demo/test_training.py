def finished(training, root):
    assert training.start(root, threads=1).wait() == 0
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
    assert training().start(checkout, threads=1).wait() == 0
    assert not training().is_done()
    finished(training(), checkout)
    assert len((training().work_dir / 'calls').read_text().splitlines()) == 2


def test_another_training_starts_from_an_empty_folder(checkout, training):
    finished(training(), checkout)
    other = training(depends='other pictures')
    finished(other, checkout)
    assert len((other.work_dir / 'calls').read_text().splitlines()) == 1


def test_progress_and_last_words_come_from_its_logs(checkout, training):
    failing = training(ending='fails')
    assert failing.progress() == 'one: starting'
    assert failing.start(checkout, threads=1).wait() == 1
    assert failing.progress() == 'one: 3/5, 0:04 left'
    assert failing.last_words() == 'no such teacher'
