"""Estimates of the ranking loss from some of the pairs: what they miss."""

from benchmarks.sampling.errors import errors
from benchmarks.sampling.estimators import ESTIMATORS
from benchmarks.sampling.logits import KINDS, make_logits
from benchmarks.sampling.plot import plot

__all__ = ['ESTIMATORS', 'KINDS', 'errors', 'make_logits', 'plot']
