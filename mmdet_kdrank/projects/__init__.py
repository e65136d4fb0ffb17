"""Declarations for the detectors of other projects, one project a file.

A file imports its project, so it is imported where a class of that project is met first.
"""

from mmdet_kdrank.heads.class_output import DECLARED_IN

DECLARED_IN.update({name: f'{__name__}.{name}' for name in ('mmrotate', 'mmyolo')})
