"""Check a distilling config on one batch: `python -m mmdet_kdrank.check CONFIG`."""

from __future__ import annotations

import argparse
import logging
import traceback
from collections.abc import Sequence

from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from mmdet_kdrank.check.readiness import report
from mmdet_kdrank.distillers.config_files import assert_imports_kept, teacher_options
from mmdet_kdrank.distillers.lost_overrides import assert_nothing_lost
from mmdet_kdrank.errors import KDRankError
from mmdet_kdrank.heads.class_output import declared_heads


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what a config distils, and whether that works; return the exit status.

    Args:
        arguments: The command line; None for this process's.

    Returns:
        0 if the config is ready, 1 if not.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.heads:
        print('\n'.join(declared_heads()))
        return 0
    if options.config is None:
        parser.error('name a config file, or --heads')
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    try:
        for line in report(_read(options), options.random):
            print(line, flush=True)
    except Exception as error:
        # Errors of this package say what to do; the others need the place where they were raised.
        if not isinstance(error, KDRankError):
            traceback.print_exc()
        print(f'not ready: {type(error).__name__}: {" ".join(str(error).split())}')
        return 1
    print('ready')
    return 0


def _read(options: argparse.Namespace) -> Config:
    assert_imports_kept(options.config)
    config = Config.fromfile(options.config)
    if options.cfg_options is not None:
        config.merge_from_dict(options.cfg_options)
    paths = teacher_options(config, options.config)
    config.merge_from_dict(dict(option.split('=', 1) for option in paths))
    init_default_scope(config.get('default_scope') or 'mmdet')
    if 'model.student_type' not in (options.cfg_options or {}):
        assert_nothing_lost(options.config)
    return config


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m mmdet_kdrank.check',
        description='Build student and teacher of a config and distil one batch.',
    )
    parser.add_argument('config', nargs='?', help='config file of the distillation')
    parser.add_argument(
        '--random', action='store_true', help='a random batch, not the first of the training set'
    )
    parser.add_argument(
        '--heads', action='store_true', help='list the heads with a declaration, and stop'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='as of tools/train.py')
    return parser
