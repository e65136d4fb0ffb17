"""MMDetection's visualiser with TensorBoard in addition, and names that MLflow takes."""

from __future__ import annotations

import re
from typing import Any

from mmdet.registry import VISUALIZERS
from mmdet.visualization import DetLocalVisualizer
from mmengine.visualization import MLflowVisBackend

from mmdet_kdrank.scopes import register


@register(VISUALIZERS)
class DetTensorboardVisualizer(DetLocalVisualizer):
    """``DetLocalVisualizer`` that also writes scalars and images for TensorBoard.

    ``--cfg-options visualizer.type=DetTensorboardVisualizer`` adds TensorBoard to any run. MMEngine
    has no option that appends to a list of backends.

    Args:
        name: Name of the visualiser.
        vis_backends: The other backends; TensorBoard is added to them.
        **kwargs: As for ``DetLocalVisualizer``.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        *,
        vis_backends: list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        backends = [*(vis_backends or []), dict(type='TensorboardVisBackend')]
        super().__init__(name, vis_backends=backends, **kwargs)


def mlflow_name(name: str) -> str:
    """Replace what MLflow refuses in the name of a metric, such as a class name with ``|``.

    Args:
        name: As MMEngine logs it.

    Returns:
        Letters, digits and ``_-. /``; no part between slashes is empty or dots alone.

    Example:
        >>> mlflow_name('coco/a|b (c)_precision')
        'coco/a_b _c__precision'
    """
    parts = re.sub(r'[^\w\-. /]', '_', name).split('/')
    return '/'.join('_' if not part.strip('.') else part for part in parts)


def let_mlflow_take_all_names() -> None:
    """Let MMEngine's MLflow backend log metrics of any name; it would end the run at the first."""
    log = MLflowVisBackend.add_scalars
    if getattr(log, 'takes_all_names', False):
        return

    def add_scalars(
        self: MLflowVisBackend, scalar_dict: dict, step: int = 0, *args: Any, **kwargs: Any
    ) -> None:
        named = {mlflow_name(name): value for name, value in scalar_dict.items()}
        log(self, named, step, *args, **kwargs)

    add_scalars.takes_all_names = True
    MLflowVisBackend.add_scalars = add_scalars
