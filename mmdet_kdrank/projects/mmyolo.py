"""Declarations of MMYOLO's heads."""

from mmyolo.models import dense_heads

from mmdet_kdrank.projects.yolo_heads import declare_yolo_heads

declare_yolo_heads(dense_heads)
