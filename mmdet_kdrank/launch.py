"""Running the tools that MMDetection's package carries, with this package's modules registered."""

from __future__ import annotations

import argparse
import gc
import os
import runpy
import signal
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import mmdet
import torch
from mmengine.config import Config

from mmdet_kdrank.datasets.config_check import check_data
from mmdet_kdrank.datasets.image_check import name_image_errors
from mmdet_kdrank.distillers.config_files import assert_imports_kept, teacher_options
from mmdet_kdrank.distillers.lost_overrides import assert_nothing_lost
from mmdet_kdrank.errors import StateError
from mmdet_kdrank.hooks.resilience.stop_request import Stopped
from mmdet_kdrank.visualization import let_mlflow_take_all_names

SKIP_CHECK = '--skip-data-check'
CHECK_ALL_IMAGES = '--check-all-images'
CHECKED = {'train.py': {}, 'test.py': dict(splits=('test',), test_needed=True)}
TENSORBOARD = 'visualizer.type=DetTensorboardVisualizer'
VERIFY_TEACHER = 'default_hooks.verify_teacher.type=VerifyTeacherHook'
FINITE_WEIGHTS = 'default_hooks.finite_weights.type=FiniteWeightsHook'
CLASS_ORDER = 'default_hooks.class_order.type=ClassOrderHook'
# MMEngine's own wrapper, without a GPU.
CPU_WRAPPER = ('model_wrapper_cfg.device_ids=None', 'model_wrapper_cfg.broadcast_buffers=False')


def run_mmdet_tool(name: str) -> None:
    """Run one of MMDetection's tools in this process, on this process's arguments.

    Three flags are this package's own, and taken out: ``--tensorboard`` becomes a
    ``--cfg-options`` entry; ``--skip-data-check`` leaves out what the tool begins with, on one
    process of all: :func:`~mmdet_kdrank.datasets.config_check.check_data`; ``--check-all-images``
    lets it load all images, not a sample. Under torchrun on a machine without a GPU the processes
    train on the CPU.

    Args:
        name: File name of the tool, e.g. ``'train.py'``.

    Raises:
        TypeError: If the config's distiller drops what the class of its base config overrides.
        Stopped: If a signal stopped the training, with its exit code.
    """
    arguments = expand_tensorboard(sys.argv[1:])
    own = (SKIP_CHECK, CHECK_ALL_IMAGES)
    sys.argv[1:] = [argument for argument in arguments if argument not in own]
    name_image_errors()
    let_mlflow_take_all_names()
    tool = str(Path(mmdet.__file__).parent / '.mim' / 'tools' / name)
    first = os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0'
    parsed = cache(partial(_parsed, tool))
    read_config = cache(lambda: _config_of(parsed()))
    if name == 'train.py':
        assert_imports_kept(parsed().config)
        if paths := teacher_options(read_config(), parsed().config):
            sys.argv += ['--cfg-options', *paths]
    if name == 'train.py' and 'model.student_type' not in (parsed().cfg_options or {}):
        assert_nothing_lost(parsed().config)
    if name in CHECKED and first and SKIP_CHECK not in arguments:
        check_data(read_config(), CHECK_ALL_IMAGES in arguments, **CHECKED[name])
    if name == 'train.py' and (hooks := hooks_of(read_config())):
        sys.argv += ['--cfg-options', *hooks]
    if name == 'test.py':
        sys.argv += ['--cfg-options', CLASS_ORDER]
    sys.argv[1:] = join_cpu_ranks(sys.argv[1:], read_config)
    stopped = None
    try:
        runpy.run_path(tool, run_name='__main__')
    # No other SystemExit: a rank that ends alone would wait for the others.
    except Stopped as exit_of_all:
        # Without its traceback, whose frames hold the model.
        stopped = exit_of_all.with_traceback(None)
    if torch.distributed.is_initialized():
        leave_group()
    if stopped is not None:
        # A launcher sends it to the other processes when the first one is gone, and that would
        # take the place of their exit code.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise stopped


def leave_group() -> None:
    """Leave the process group, together with the other ranks, and end its threads.

    DistributedDataParallel holds the group too, and is itself held by reference cycles: without a
    collection the group's threads run on while the interpreter comes down, and abort the process
    when they see a peer's connection close.
    """
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    gc.collect()


def _parsed(tool: str) -> argparse.Namespace:
    """Return a tool's arguments, by its own reading of the command line."""
    return runpy.run_path(tool)['parse_args']()


def _config_of(parsed: argparse.Namespace) -> Config:
    """Return the config that a tool will run."""
    config = Config.fromfile(parsed.config)
    if parsed.cfg_options is not None:
        config.merge_from_dict(parsed.cfg_options)
    return config


def verifies_teacher(config: Config) -> bool:
    """Tell whether a config asks for its teacher to be evaluated (``teacher.verify``)."""
    teacher = (config.get('model') or {}).get('teacher')
    return isinstance(teacher, dict) and bool(teacher.get('verify'))


def hooks_of(config: Config) -> list[str]:
    """Return the ``--cfg-options`` that add the hooks of a distillation; none for another model."""
    if not (config.get('model') or {}).get('teacher'):
        return []
    return [FINITE_WEIGHTS, *([VERIFY_TEACHER] if verifies_teacher(config) else [])]


def expand_tensorboard(arguments: list[str]) -> list[str]:
    """Replace ``--tensorboard`` by the config option that it stands for.

    Args:
        arguments: Command-line arguments.

    Returns:
        The same without ``--tensorboard``; where it was given, followed by
        ``--cfg-options`` with the visualiser, which MMEngine adds to those already there.
    """
    rest = [argument for argument in arguments if argument != '--tensorboard']
    return arguments if rest == arguments else [*rest, '--cfg-options', TENSORBOARD]


def join_cpu_ranks(arguments: list[str], read_config: Callable[[], Config]) -> list[str]:
    """Set up torchrun's processes where there is no GPU, which MMEngine's launcher asks for.

    MMEngine takes over a process group that exists already.

    Args:
        arguments: Command-line arguments.
        read_config: Reads the config that they name, overrides included.

    Returns:
        The same; with ``--launcher pytorch`` and without a GPU followed by
        ``--cfg-options`` that keep DistributedDataParallel off the GPUs.

    Raises:
        RuntimeError: If the launcher is ``pytorch`` and torchrun has not started this process.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--launcher')
    launcher = parser.parse_known_args(arguments)[0].launcher
    if launcher != 'pytorch':
        return arguments
    if 'RANK' not in os.environ:
        raise StateError(
            '--launcher pytorch is for a process that torchrun has started, and torchrun did not '
            'start this one. Run bash tools/dist_train.sh CONFIG GPUS, or bash tools/dist_test.sh '
            'CONFIG CHECKPOINT GPUS, and for one process leave --launcher out.'
        )
    if torch.cuda.is_available():
        return arguments
    torch.distributed.init_process_group('gloo')
    options = [*CPU_WRAPPER]
    if read_config().get('find_unused_parameters'):
        # MMEngine reads it only where there is no model_wrapper_cfg.
        options.append('model_wrapper_cfg.find_unused_parameters=True')
    return [*arguments, '--cfg-options', *options]
