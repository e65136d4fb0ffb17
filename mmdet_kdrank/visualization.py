"""MMDetection's visualiser with TensorBoard as an additional backend."""

from __future__ import annotations

from typing import Any

from mmdet.registry import VISUALIZERS
from mmdet.visualization import DetLocalVisualizer


@VISUALIZERS.register_module()
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
