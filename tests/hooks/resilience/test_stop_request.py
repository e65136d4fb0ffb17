import os
import signal

import pytest

from mmdet_kdrank.hooks.resilience.stop_request import StopRequest


@pytest.fixture
def stop():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    request = StopRequest(['SIGTERM', 'SIGINT'])
    request.listen()
    yield request
    request.close()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def send(name):
    os.kill(os.getpid(), signal.Signals[name])


def test_no_signal(stop):
    assert stop.agreed() is None


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT'])
def test_a_signal_is_noted(stop, name):
    send(name)
    assert stop.agreed() == signal.Signals[name]


def test_an_echo_is_the_same_signal(stop):
    """A terminal's Ctrl-C reaches the processes, and torchrun passes it on to them."""
    send('SIGINT')
    send('SIGINT')
    assert stop.agreed() == signal.SIGINT


def test_a_later_one_acts_at_once(stop, monkeypatch):
    monkeypatch.setattr(StopRequest, 'ECHO', -1.0)
    send('SIGINT')
    with pytest.raises(KeyboardInterrupt):
        send('SIGINT')


def test_closed_it_hears_nothing():
    request = StopRequest(['SIGINT'])
    request.listen()
    request.close()
    with pytest.raises(KeyboardInterrupt):
        send('SIGINT')
    assert request.agreed() is None


@pytest.mark.parametrize('first', ['SIGTERM', 'SIGCHLD'])
def test_the_death_of_workers_is_held_back_once_a_stop_was_asked_for(monkeypatch, first):
    """Whichever of the two signals comes first."""

    def complain(number, frame):
        raise RuntimeError('DataLoader worker is killed')

    before = signal.signal(signal.SIGCHLD, complain)
    request = StopRequest(['SIGTERM'])
    request.listen()
    request.listen_to_workers()
    try:
        if first == 'SIGCHLD':
            # The other is on its way.
            signal.signal(signal.SIGALRM, lambda *_: send('SIGTERM'))
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        else:
            send('SIGTERM')
        send('SIGCHLD')
        assert request.agreed() == signal.SIGTERM
    finally:
        request.close()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        assert signal.signal(signal.SIGCHLD, before) is complain


def test_the_death_of_a_worker_alone_is_an_error(stop):
    def complain(number, frame):
        raise RuntimeError('DataLoader worker is killed')

    before = signal.signal(signal.SIGCHLD, complain)
    stop.listen_to_workers()
    try:
        with pytest.raises(RuntimeError, match='worker is killed'):
            send('SIGCHLD')
    finally:
        stop.close()
        signal.signal(signal.SIGCHLD, before)


def test_an_unknown_signal_is_refused():
    with pytest.raises(ValueError, match='SIGNONE is no signal of this system'):
        StopRequest(['SIGTERM', 'SIGNONE'])
