"""The class output of a head, its priors, and the targets of its class loss."""

from mmdet_kdrank.heads import declarations  # noqa: F401  (imported for its declarations)
from mmdet_kdrank.heads.class_output import ClassOutput, class_output, declare_class_output

__all__ = ['ClassOutput', 'class_output', 'declare_class_output']
