from __future__ import annotations

import re
import runpy
import signal
import sys
import time
from pathlib import Path

import mmdet
import pytest
import torch
from mmengine.config import Config

from mmdet_kdrank.hooks.resilience.stop_request import Stopped
from mmdet_kdrank.launch import (
    FINITE_WEIGHTS,
    TENSORBOARD,
    VERIFY_TEACHER,
    expand_tensorboard,
    hooks_of,
    join_cpu_ranks,
    leave_group,
    run_mmdet_tool,
    verifies_teacher,
)

ROOT = Path(__file__).parents[1]
TOOLS = Path(mmdet.__file__).parent / '.mim' / 'tools'


@pytest.mark.parametrize('arguments', [[], ['c.py'], ['c.py', '--cfg-options', 'a=1', '--amp']])
def test_nothing_changes_without_the_flag(arguments):
    assert expand_tensorboard(arguments) == arguments


@pytest.mark.parametrize(
    ('given', 'options'),
    [
        ([], {}),
        (['--cfg-options', 'a=1', 'b=x'], {'a': 1, 'b': 'x'}),
        (['--cfg-options=a=1'], {'a': 1}),
        (['--cfg-options', 'a=1', '--cfg-options', 'b=x'], {'a': 1, 'b': 'x'}),
    ],
)
@pytest.mark.parametrize('first', [True, False])
def test_the_flag_joins_other_options(given, options, first, monkeypatch):
    """As MMDetection's own parser reads the result."""
    arguments = ['--tensorboard', 'c.py', *given] if first else ['c.py', *given, '--tensorboard']
    monkeypatch.setattr(sys, 'argv', ['train.py', *expand_tensorboard(arguments)])
    parsed = runpy.run_path(str(TOOLS / 'train.py'))['parse_args']()
    key, _, value = TENSORBOARD.partition('=')
    assert parsed.cfg_options == {**options, key: value}
    assert parsed.config == 'c.py'


@pytest.fixture
def groups(monkeypatch):
    """Backends of the process groups that are set up."""
    made = []
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setattr(torch.distributed, 'init_process_group', made.append)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    return made


@pytest.mark.parametrize('launcher', [['--launcher', 'pytorch'], ['--launcher=pytorch']])
@pytest.mark.parametrize('unused', [False, True])
def test_ranks_without_a_gpu_meet_over_gloo(groups, monkeypatch, launcher, unused):
    config = Config(dict(find_unused_parameters=True) if unused else {})
    arguments = join_cpu_ranks(['c.py', *launcher, '--cfg-options', 'a=1'], lambda: config)
    assert groups == ['gloo']
    monkeypatch.setattr(sys, 'argv', ['train.py', *arguments])
    parsed = runpy.run_path(str(TOOLS / 'train.py'))['parse_args']()
    wrapper = {'model_wrapper_cfg.device_ids': None, 'model_wrapper_cfg.broadcast_buffers': False}
    if unused:
        wrapper['model_wrapper_cfg.find_unused_parameters'] = True
    assert parsed.cfg_options == {'a': 1, **wrapper}
    assert (parsed.config, parsed.launcher) == ('c.py', 'pytorch')


def test_a_launcher_without_torchrun_points_to_the_script(groups, monkeypatch):
    monkeypatch.delenv('RANK')
    with pytest.raises(RuntimeError, match='torchrun did not start this one') as caught:
        join_cpu_ranks(['c.py', '--launcher', 'pytorch'], Config)
    assert not groups
    for script in re.findall(r'tools/\w+\.sh', str(caught.value)):
        assert (ROOT / script).is_file()
    # The advice for one process.
    assert join_cpu_ranks(['c.py'], Config) == ['c.py']


@pytest.mark.parametrize('arguments', [['c.py'], ['c.py', '--launcher', 'slurm']])
def test_other_launchers_are_left_to_mmengine(groups, arguments):
    assert join_cpu_ranks(arguments, Config) == arguments
    assert not groups


def test_gpus_are_left_to_mmengine(groups, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    arguments = ['c.py', '--launcher', 'pytorch']
    assert join_cpu_ranks(arguments, Config) == arguments
    assert not groups


class Cycle:
    """What holds the group and itself, as a wrapped model does."""

    def __init__(self, model):
        self.model, self.itself = model, self


def threads():
    return {task.name for task in Path('/proc/self/task').iterdir()}


def assert_gone(left):
    """Linux lists a thread for a moment after it was waited for."""
    deadline = time.monotonic() + 5
    while left() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left()


@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='asks Linux for the threads')
def test_no_thread_of_the_group_is_left(tmp_path):
    before = threads()
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path / "meeting"}', rank=0, world_size=1
    )
    Cycle(torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2)))
    assert threads() - before
    leave_group()
    assert not torch.distributed.is_initialized()
    assert_gone(lambda: threads() - before)


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """A function that puts a tool in MMDetection's place and runs it, in a group of one."""
    folder = tmp_path / 'mmdet'
    (folder / '.mim' / 'tools').mkdir(parents=True)
    monkeypatch.setattr(mmdet, '__file__', str(folder / '__init__.py'))
    monkeypatch.setattr(sys, 'argv', ['tool.py'])
    meeting = f'file://{tmp_path / "meeting"}'
    before = threads()
    torch.distributed.init_process_group('gloo', init_method=meeting, rank=0, world_size=1)

    def run(text):
        (folder / '.mim' / 'tools' / 'tool.py').write_text(text)
        run_mmdet_tool('tool.py')

    run.threads_before = before
    handler = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, handler)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


STOPPED = """
import torch
from mmdet_kdrank.hooks.resilience.stop_request import Stopped

model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))

def main(model):
    model.itself = model
    raise Stopped(143)

main(model)
"""


@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='asks Linux for the threads')
def test_where_all_stop_they_leave_the_group_and_keep_the_code(tool):
    with pytest.raises(Stopped) as caught:
        tool(STOPPED)
    assert caught.value.code == 143
    # With it a launcher ends those that are slower to exit.
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    assert not torch.distributed.is_initialized()
    assert_gone(lambda: threads() - tool.threads_before)


@pytest.mark.parametrize('ending', ['SystemExit(2)', 'RuntimeError("alone")'])
def test_a_rank_that_ends_alone_waits_for_nobody(tool, monkeypatch, ending):
    monkeypatch.setattr(torch.distributed, 'barrier', lambda: pytest.fail('it waits'))
    with pytest.raises((SystemExit, RuntimeError)):
        tool(f'raise {ending}')
    assert torch.distributed.is_initialized()


def test_training_refuses_a_distiller_that_loses_an_override(tmp_path, monkeypatch):
    (tmp_path / 'student.py').write_text("model = dict(type='TridentFasterRCNN')\n")
    config = tmp_path / 'distilled.py'
    config.write_text("_base_ = 'student.py'\nmodel = dict(type='DistillTwoStageDetector')\n")
    monkeypatch.setattr(sys, 'argv', ['train.py', str(config)])
    with pytest.raises(TypeError, match="loses what TridentFasterRCNN overrides.*student_type='"):
        run_mmdet_tool('train.py')


@pytest.mark.parametrize(
    ('model', 'verifies'),
    [
        (dict(teacher=dict(verify=True)), True),
        (dict(teacher=dict(verify=dict(min_map=0.2))), True),
        (dict(teacher=dict(verify=False)), False),
        (dict(teacher=dict(config='a.py')), False),
        (dict(type='RetinaNet'), False),
    ],
)
def test_a_config_that_verifies_its_teacher_is_told_apart(model, verifies):
    config = Config(dict(model=model))
    assert verifies_teacher(config) is verifies
    distils = [FINITE_WEIGHTS] if 'teacher' in model else []
    assert hooks_of(config) == [*distils, *([VERIFY_TEACHER] if verifies else [])]
