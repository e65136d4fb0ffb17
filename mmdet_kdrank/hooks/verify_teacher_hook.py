"""Evaluating the teacher before the first iteration."""

from __future__ import annotations

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet_kdrank.hooks.distilling_model import distiller
from mmdet_kdrank.scopes import register


@register(HOOKS)
class VerifyTeacherHook(Hook):
    """Runs what ``teacher.verify`` asks for, on the run's own validation set.

    This project's ``tools/train.py`` adds it where it is needed. Elsewhere a config with
    ``teacher.verify`` needs ``default_hooks=dict(verify_teacher=dict(type='VerifyTeacherHook'))``.

    Raises:
        TypeError: Before training, if the model is no distilling detector.
        ValueError: Before training, if the run has no validation set, or one that cannot tell.
        CheckpointError: Before training, if the teacher detects too little.

    Example:
        >>> HOOKS.build(dict(type='VerifyTeacherHook')).priority
        'NORMAL'
    """

    def before_train(self, runner: Runner) -> None:
        """Evaluate the teacher."""
        distiller(runner, self).teacher_session.verify(runner.cfg)
