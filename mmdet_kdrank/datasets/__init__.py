"""The embedded data set."""

from mmdet_kdrank.datasets.shapes_dataset import ShapesDataset

__all__ = ['ShapesDataset']
