import os
import signal
import subprocess
import threading
import time

import pytest

from mmdet_kdrank.errors import RunError
from mmdet_kdrank.runs.exclusive import exclusive, signals_interrupt
from mmdet_kdrank.runs.job_pool import run_jobs

TWO = [{'OMP_NUM_THREADS': '1'}, {'OMP_NUM_THREADS': '1'}]


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
    run_jobs(both, TWO, checkout, lock, '[1/1] ')
    assert all(each.is_done() for each in both)
    line = capsys.readouterr().out
    for each in both:
        assert f'{each.name}: 3/5, 0:04 left' in line
    run_jobs(both, TWO, checkout, lock, '[1/1] ')
    assert len((both[0].work_dir / 'calls').read_text().splitlines()) == 1


def test_failure_ends_the_others_and_shows_the_log(checkout, training, lock):
    hanging = training('two', 'hangs')
    with pytest.raises(RunError, match=r'one failed with exit status 1(.|\n)*no such teacher'):
        run_jobs([training('one', 'fails'), hanging], TWO, checkout, lock)
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
        run_jobs([hanging], TWO, checkout, lock)
    sender.join()
    assert not alive(hanging.work_dir)


def test_one_place_runs_them_in_order_and_each_after_what_it_needs(checkout, training, lock):
    first = training('first')
    started = []

    class Noted(type(first)):
        def start(self, *args, **kwargs):
            started.append(self.name)
            assert all(job.is_done() for job in self.after)
            return super().start(*args, **kwargs)

    first.__class__ = Noted
    jobs = [training('needs first', after=(first,)), training('free'), first]
    for job in jobs:
        job.__class__ = Noted
    run_jobs(jobs, TWO[:1], checkout, lock)
    assert started == ['free', 'first', 'needs first']


def test_memory_of_the_process_is_noted(checkout, training, lock):
    (checkout / 'tools' / 'train.py').write_text('import time; time.sleep(1.2)')
    job = training()
    run_jobs([job], TWO, checkout, lock)
    # A bare interpreter has 5 to 50 MiB resident.
    assert 3 < job.state['peak_memory'] < 200


def test_changed_settings_start_afresh_and_say_so(checkout, training, lock, capsys):
    run_jobs([training()], TWO, checkout, lock)
    assert 'afresh' not in capsys.readouterr().out
    run_jobs([training(depends='other pictures')], TWO, checkout, lock)
    assert 'one: its settings have changed, starting afresh' in capsys.readouterr().out


def test_each_place_has_its_own_environment(checkout, training, lock):
    script = checkout / 'tools' / 'train.py'
    script.write_text(
        'import os, pathlib, sys\n'
        "folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])\n"
        "(folder / 'device').write_text(os.environ['CUDA_VISIBLE_DEVICES'])\n"
        'import time; time.sleep(1)\n'
    )
    jobs = [training('one'), training('two')]
    run_jobs(jobs, [{'CUDA_VISIBLE_DEVICES': number} for number in '01'], checkout, lock)
    assert [(job.folder / 'device').read_text() for job in jobs] == ['0', '1']
