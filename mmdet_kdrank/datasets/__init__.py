"""The embedded data set."""

from .shapes_dataset import ShapesDataset

__all__ = ['ShapesDataset']
