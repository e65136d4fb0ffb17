"""What a head's class output is, where its rows lie, and which targets it trains on."""

from mmdet_kdrank.heads import declarations  # noqa: F401  (imported for what it declares)
from mmdet_kdrank.heads.class_output import ClassOutput, class_output, declare_class_output

__all__ = ['ClassOutput', 'class_output', 'declare_class_output']
