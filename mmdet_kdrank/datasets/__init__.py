"""The embedded data set as MMDetection sees it."""

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES, PALETTE
from mmdet_kdrank.scopes import register

__all__ = ['ShapesDataset']


@register(DATASETS)
class ShapesDataset(CocoDataset):
    """COCO-format data set of procedural shapes, written by ``tools/make_shapes.py``.

    Masks hold the visible pixels, and boxes are tight around these. Objects that are mostly hidden
    are not annotated.
    """

    METAINFO = dict(classes=CLASSES, palette=PALETTE)
