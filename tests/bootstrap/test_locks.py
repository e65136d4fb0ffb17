import subprocess
import sys
from pathlib import Path

from bootstrap.locks import exclusive

ROOT = Path(__file__).parents[2]
OTHER = """
import sys
from pathlib import Path
from bootstrap.locks import exclusive
with exclusive(Path(sys.argv[1]), 'waiting'):
    print('held', flush=True)
"""


def test_second_process_waits_and_says_so(tmp_path):
    lock = tmp_path / 'made' / 'here.lock'
    with exclusive(lock, 'not printed'):
        other = subprocess.Popen(
            [sys.executable, '-c', OTHER, str(lock)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout.readline() == 'waiting\n'
        assert other.poll() is None
    assert other.stdout.readline() == 'held\n'
    assert other.wait() == 0


def test_free_lock_is_silent(tmp_path, capsys):
    for _ in range(2):
        with exclusive(tmp_path / 'a.lock', 'waiting'):
            pass
    assert capsys.readouterr().out == ''
