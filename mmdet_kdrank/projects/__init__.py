"""Declarations for the detectors of other projects, one project a file.

Such a file imports its project, so it is imported where a class of that project is met first.
"""

from mmdet.models import dense_heads

from mmdet_kdrank.heads.class_output import DECLARED_IN
from mmdet_kdrank.projects.yolo_heads import declare_yolo_heads

DECLARED_IN.update({name: f'{__name__}.{name}' for name in ('mmrotate', 'mmyolo')})

# Forks of MMDetection have MMYOLO's heads inside, under the names of MMDetection's own.
if hasattr(dense_heads, 'YOLOv5Head'):
    declare_yolo_heads(dense_heads)
