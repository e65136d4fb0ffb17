"""Tensor operations: tensors in, tensors out; nothing here knows a detector."""

from mmdet_kdrank.ops.backends import BACKENDS
from mmdet_kdrank.ops.class_groups import grouped_kendall_tau
from mmdet_kdrank.ops.forms import FORMS
from mmdet_kdrank.ops.kendall import kendall_tau
from mmdet_kdrank.ops.surrogates import SURROGATES

__all__ = ['BACKENDS', 'FORMS', 'SURROGATES', 'grouped_kendall_tau', 'kendall_tau']
