"""The distilling detector that a runner trains."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmdet_kdrank.distillers.base import DistillMixin
from mmdet_kdrank.errors import ArgumentTypeError


def distiller(runner: Runner, hook: Hook) -> DistillMixin:
    """Return the runner's model, without the wrapper of distributed training.

    Args:
        runner: The runner.
        hook: The hook that needs it, named in the error.

    Raises:
        TypeError: If the model is no distilling detector.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not isinstance(model, DistillMixin):
        raise ArgumentTypeError(
            f'{type(hook).__name__} needs a distilling detector, but the model is a '
            f'{type(model).__name__}. Remove the hook from custom_hooks, or set model.type to '
            'DistillSingleStageDetector or DistillTwoStageDetector.'
        )
    return model
