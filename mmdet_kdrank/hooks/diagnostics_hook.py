"""Measures a distillation while it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.hooks.distilling_model import distiller
from mmdet_kdrank.ops.checks import check_count
from mmdet_kdrank.scopes import register


@register(HOOKS)
class DistillDiagnosticsHook(Hook):
    """Measures the distillation in every ``interval``-th iteration.

    For each distilled head it measures three things in the iteration itself. First, which rows the
    losses come from. Second, how similarly student and teacher rank the classes. Third, the
    gradients of the distillation losses at the class logits, relative to the detection losses'.

    ``docs/how_to/looking_inside.md`` lists the names. The values go to every backend of the
    visualiser, as ``diagnostics/NAME``. They also go to
    ``WORK_DIR/TIMESTAMP/diagnostics.jsonl``, one line per iteration.

    The hook does not change the trained weights by a single bit. Of several processes, only the
    first measures, and only its share of the batch. A loss is called again for each group of rows,
    so a loss with a state would count these calls.

    Args:
        interval: Iterations between two measurements.
        topk: For each k, measure the share of the teacher's k best classes that are among the
            student's k best.
        score_edges: Rising bounds, in (0, 1), between intervals of the teacher's score. tau is
            measured for each interval.

    Raises:
        TypeError: Before training, if the model is no distilling detector.
        ValueError: If an argument is out of its range.

    Example:
        >>> hook = HOOKS.build(dict(type='DistillDiagnosticsHook', interval=100))
        >>> hook.topk
        (1, 3, 5)
    """

    def __init__(
        self,
        interval: int = 50,
        topk: Sequence[int] = (1, 3, 5),
        score_edges: Sequence[float] = (0.05, 0.25, 0.5, 0.75),
    ) -> None:
        check_count('interval', interval)
        for k in topk:
            check_count('topk', k)
        bounds = [0, *score_edges, 1]
        if not all(low < high for low, high in zip(bounds, bounds[1:], strict=False)):
            raise ArgumentError(
                f'score_edges={score_edges!r} must rise, and lie between 0 and 1, because they are '
                'bounds between intervals of a probability.'
            )
        self.interval, self.topk, self.score_edges = interval, tuple(topk), tuple(score_edges)
        self._watching = ExitStack()
        self._values: dict[str, float] | None = None

    def before_train(self, runner: Runner) -> None:
        """Refuse a model that is no distilling detector."""
        distiller(runner, self)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start to measure, if this iteration is due."""
        if is_main_process() and self.every_n_train_iters(runner, self.interval):
            # Imported here: few runs measure anything.
            from mmdet_kdrank.diagnostics.iteration import IterationWatch

            scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
            watch = IterationWatch(
                distiller(runner, self),
                self.score_edges,
                self.topk,
                scale=scaler.get_scale() if scaler else 1.0,
            )
            self._values = self._watching.enter_context(watch.watch())

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Write the measured values."""
        if self._values is None:
            return
        from mmdet_kdrank.diagnostics.journal import append

        self._watching.close()
        values = {name: value for name, value in self._values.items() if math.isfinite(value)}
        self._values = None
        named = {f'diagnostics/{name}': value for name, value in values.items()}
        runner.visualizer.add_scalars(named, step=runner.iter + 1)
        append(runner.log_dir, runner.iter + 1, values)
