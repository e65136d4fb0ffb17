"""The project's package: ``custom_imports`` imports it, which registers its classes."""

from .dataset import BadgesDataset
from .loss import HellingerLoss

__all__ = ['BadgesDataset', 'HellingerLoss']
