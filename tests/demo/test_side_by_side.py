import os
import signal
import subprocess
import threading
import time

import pytest

from mmdet_kdrank.demo.side_by_side import DemoError, exclusive, run_phase, signals_interrupt


@pytest.fixture
def lock(tmp_path):
    with exclusive(tmp_path / 'work') as descriptor:
        yield descriptor


def wait_for(path):
    for _ in range(400):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f'{path} did not appear')


def alive(folder):
    """Whether a process has this folder on its command line."""
    listing = subprocess.run(['ps', '-eo', 'args'], capture_output=True, text=True, check=True)
    return any('train.py' in line and str(folder) in line for line in listing.stdout.splitlines())


def test_finished_trainings_are_marked_and_kept(checkout, training, lock, capsys):
    both = [training('one'), training('two')]
    run_phase('[1/1]', both, checkout, lock)
    assert all(each.is_done() for each in both)
    assert '[1/1] one: 3/5, 0:04 left | two: 3/5, 0:04 left' in capsys.readouterr().out
    run_phase('[1/1]', both, checkout, lock)
    assert capsys.readouterr().out.count('kept from an earlier run') == 2
    assert len((both[0].work_dir / 'calls').read_text().splitlines()) == 1


def test_failure_ends_the_others_and_shows_the_log(checkout, training, lock):
    hanging = training('two', 'hangs')
    with pytest.raises(DemoError, match=r'one failed with exit status 1(.|\n)*no such teacher'):
        run_phase('[1/1]', [training('one', 'fails'), hanging], checkout, lock)
    assert not alive(hanging.work_dir)
    assert not hanging.is_done()


@pytest.mark.parametrize('kind', [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_trainings(checkout, training, lock, kind):
    hanging = training('one', 'hangs')

    def send():
        wait_for(hanging.work_dir / 'hanging')
        os.kill(os.getpid(), kind)

    sender = threading.Thread(target=send)
    sender.start()
    with pytest.raises(KeyboardInterrupt), signals_interrupt():
        run_phase('[1/1]', [hanging], checkout, lock)
    sender.join()
    assert not alive(hanging.work_dir)


def test_ignored_hangup_stays_ignored():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_interrupt():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_second_demo_is_refused(tmp_path, lock):
    with pytest.raises(DemoError, match='in use by another demo'), exclusive(tmp_path / 'work'):
        pass


def test_training_that_outlives_its_demo_keeps_the_folder(checkout, training, tmp_path):
    orphan = training('one', 'hangs')
    with exclusive(tmp_path / 'work') as descriptor:
        process = orphan.start(checkout, 1, inherited=(descriptor,))
    try:
        with pytest.raises(DemoError, match='left running'), exclusive(tmp_path / 'work'):
            pass
    finally:
        process.kill()
        process.wait()
    with exclusive(tmp_path / 'work'):
        pass
