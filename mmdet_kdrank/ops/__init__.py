"""Tensor operations: tensors in, tensors out; nothing here knows a detector."""

from mmdet_kdrank.ops.backends import BACKENDS
from mmdet_kdrank.ops.forms import FORMS
from mmdet_kdrank.ops.kendall import kendall_tau
from mmdet_kdrank.ops.surrogates import SURROGATES

__all__ = ['BACKENDS', 'FORMS', 'SURROGATES', 'kendall_tau']
