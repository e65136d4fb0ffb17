"""Turns the model of a stock config into its distilling version."""

from __future__ import annotations

from mmdet.registry import MODELS
from mmengine.config import ConfigDict

from mmdet_kdrank.distillers import (
    DistillQueryDetector,
    DistillSingleStageDetector,
    DistillSingleStageInstanceSegmentor,
    DistillTwoStageDetector,
)

DISTILLERS = {
    'two-stage': DistillTwoStageDetector,
    'single-stage': DistillSingleStageDetector,
    'single-stage with masks': DistillSingleStageInstanceSegmentor,
    'query-based': DistillQueryDetector,
}
OTHER = 'other'
LOSSES = dict(
    loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=2),
    loss_rank=dict(type='KendallRankLoss'),
)


def family_of(detector: str) -> str:
    """Return which of the :data:`DISTILLERS` a registered detector belongs to, or ``'other'``."""
    cls = MODELS.get(detector)
    # Sparse R-CNN is both query-based and two-stage.
    for family in reversed(DISTILLERS):
        distiller = DISTILLERS[family]
        kinds = distiller.teachers if family == 'query-based' else distiller.family
        if isinstance(cls, type) and issubclass(cls, kinds):
            return family
    return OTHER


def distilling(model: dict, checkpoint: str) -> ConfigDict:
    """Add the six lines that make a stock model the distilling version of itself.

    Args:
        model: The model of a stock config.
        checkpoint: Path of the weights of its teacher, a model of the same config.

    Returns:
        The model of the distilling config. A detector of no family gets a distiller
        all the same: what it says is the reason.
    """
    distiller = DISTILLERS.get(family_of(model['type']), DistillSingleStageDetector)
    own_class = MODELS.get(model['type']) is not distiller.family
    return ConfigDict(
        model,
        type=distiller.__name__,
        teacher=dict(config=model, checkpoint=checkpoint),
        distill_losses=LOSSES,
        **(dict(student_type=model['type']) if own_class else {}),
    )
