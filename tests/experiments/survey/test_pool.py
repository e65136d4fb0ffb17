import pytest

from experiments.survey.outcome import FAILED, NOT_RUN, REFUSED
from experiments.survey.pool import Attempts, Limits

GLIP = dict(type='GLIP')


@pytest.fixture(scope='module')
def attempts():
    return Attempts(Limits(seconds=120))


@pytest.mark.slow
def test_outcomes_come_from_other_processes(attempts, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'ends_here.py').write_text('import os\nos.write(1, b"the end\\n")\nos._exit(3)')
    assert attempts.run(GLIP).result == REFUSED
    crashed = attempts.run(GLIP, ('ends_here',))
    assert (crashed.result, crashed.reason) == (FAILED, 'the process ended with 3 (the end)')
    assert attempts.run(GLIP).result == REFUSED
    nothing = attempts.run(dict(type='RetinaNet', backbone=None))
    assert nothing.result == NOT_RUN and 'stock config does not train here' in nothing.reason


@pytest.mark.slow
def test_limits_end_an_attempt(attempts, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'sleeps.py').write_text('import time\ntime.sleep(60)')
    (tmp_path / 'eats.py').write_text('held = bytearray(4 << 30)')
    late = Attempts(Limits(seconds=0.5)).run(GLIP, ('sleeps',))
    assert (late.result, late.reason) == (FAILED, 'took more than 0.5 s')
    fat = Attempts(Limits(memory=2 << 30)).run(GLIP, ('eats',))
    assert fat.result == FAILED and 'MemoryError' in fat.reason
