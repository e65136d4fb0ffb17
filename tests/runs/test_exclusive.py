import signal

import pytest

from mmdet_kdrank.errors import RunError
from mmdet_kdrank.runs.exclusive import exclusive, signals_interrupt


def test_ignored_hangup_stays_ignored():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_interrupt():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_second_command_is_refused(tmp_path):
    with (
        exclusive(tmp_path / 'work'),
        pytest.raises(RunError, match='in use by another such command'),
        exclusive(tmp_path / 'work'),
    ):
        pass


def test_training_that_outlives_its_command_keeps_the_folder(checkout, training, tmp_path):
    orphan = training('one', 'hangs')
    with exclusive(tmp_path / 'work') as descriptor:
        process = orphan.start(checkout, {}, inherited=(descriptor,))
    try:
        with pytest.raises(RunError, match='left running'), exclusive(tmp_path / 'work'):
            pass
    finally:
        process.kill()
        process.wait()
    with exclusive(tmp_path / 'work'):
        pass
