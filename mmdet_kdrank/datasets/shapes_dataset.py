"""The embedded data set as MMDetection sees it."""

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from .shapes import CLASSES, PALETTE


@DATASETS.register_module()
class ShapesDataset(CocoDataset):
    """COCO-format data set of procedural shapes, written by ``tools/make_shapes.py``.

    Boxes are tight around the visible pixels; mostly hidden objects are not annotated.
    """

    METAINFO = dict(classes=CLASSES, palette=PALETTE)
