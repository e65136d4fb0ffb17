import textwrap

import pytest

from mmdet_kdrank.runs.training_job import Training
from tests.finished_runs import saved, trained_run  # noqa: F401

TRAINER = textwrap.dedent("""
    # Stands for tools/train.py: does `steps` steps, then what `ending` says.
    import json, pathlib, sys, time
    folder = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
    options = dict(item.split('=', 1) for item in sys.argv[sys.argv.index('--cfg-options') + 1:])
    with (folder / 'calls').open('a') as calls:
        calls.write(' '.join(sys.argv[1:]) + '\\n')
    log = folder / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(json.dumps({'step': 3, 'loss': 1.0, 'time': 2.0}))
    if options['ending'] == 'fails':
        sys.exit('no such teacher')
    if options['ending'] == 'hangs':
        (folder / 'hanging').touch()
        time.sleep(600)
""")

CONFIG = """
train_cfg = dict(max_iters=5)
default_hooks = dict(checkpoint=dict(by_epoch=False))
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose trainer does nothing but log."""
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'train.py').write_text(TRAINER)
    (tmp_path / 'config.py').write_text(CONFIG)
    return tmp_path


@pytest.fixture
def training(checkout):
    """Make a training in that checkout."""

    def make(name='one', ending='well', depends='', after=()):
        folder = checkout / 'work' / name
        return Training(name, checkout / 'config.py', folder, {'ending': ending}, depends, after)

    return make
