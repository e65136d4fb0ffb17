"""A project of its own: what it registers, MMDetection's tools find through ``custom_imports``."""

from .dataset import BadgesDataset
from .loss import HellingerLoss

__all__ = ['BadgesDataset', 'HellingerLoss']
