"""Removes parts of a stock model that cost time or downloads and do not affect distilling."""

from __future__ import annotations

from typing import Any

from mmdet_kdrank.check.readiness import without_weights

PROPOSALS = 32
ROIS = 16
PAD = 128
"""Side of the padded square, in pixels, for recipes that pad every batch to a large square."""


def lean_model(model: dict) -> dict:
    """Return a stock model without pretrained weights, with few RoIs and small pads.

    Args:
        model: The model of a stock config; not changed.

    Returns:
        The same detector, with all its modules and widths.
    """
    model = without_weights(model)
    train = model.get('train_cfg') or {}
    if train.get('rpn_proposal'):
        train['rpn_proposal']['max_per_img'] = PROPOSALS
    for stage in _as_list(train.get('rcnn')):
        if 'num' in stage.get('sampler', {}):
            stage['sampler']['num'] = ROIS
    for augment in (model.get('data_preprocessor') or {}).get('batch_augments') or ():
        if augment['type'] == 'BatchFixedSizePad':
            augment['size'] = (PAD, PAD)
    return model


def _as_list(value: Any) -> list:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
