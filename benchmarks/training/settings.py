"""The pairs of student and teacher, at the sizes at which their training step is measured."""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config

from benchmarks.script import ROOT

FAMILIES = ('faster_rcnn', 'retinanet')
_SHAPES = 'shapes/faster-rcnn_r18w32-r18w16_kd-rank_shapes.py'
_SHAPES_TEACHER = 'shapes/faster-rcnn_r18w32_shapes.py'


class Setting(NamedTuple):
    """What is trained on what.

    Attributes:
        family: One of ``FAMILIES``.
        height: Of the pictures, in pixels.
        width: Of the pictures, in pixels.
        batch: Pictures.
        coco: Whether both are of the usual width and with 80 classes; else the narrow ones of the
            embedded data set with its 27.
        selector: Which rows are distilled, a type of ``TASK_UTILS``; None: the family's default.
        pair: With ``coco``, the backbones of teacher and student, as configs are named.
    """

    family: str
    height: int
    width: int
    batch: int
    coco: bool
    selector: str | None = None
    pair: str = 'r101-r50'

    def config(self) -> ConfigDict:
        """Return the distilling detector with both losses; its teacher has no checkpoint."""
        model = self._coco() if self.coco else self._narrow()
        # Trained weights would be downloaded, and change no time.
        model.backbone.init_cfg = model.teacher.config.backbone.init_cfg = None
        # It has random weights, which detect nothing.
        model.teacher.verify = False
        if self.selector:
            model.selector = dict(type=self.selector)
        return model

    def _coco(self) -> ConfigDict:
        name = self.family.replace('_rcnn', '-rcnn')
        model = _shipped(f'{self.family}/{name}_{self.pair}_kd-rank_1x_coco.py')
        model.teacher.config = get_config(model.teacher.config).model
        return model

    def _narrow(self) -> ConfigDict:
        if self.family == 'retinanet':
            return _narrow_retinanet()
        model = _shipped(_SHAPES)
        model.teacher.config = _shipped(_SHAPES_TEACHER)
        return model


def _shipped(name: str) -> ConfigDict:
    return Config.fromfile(ROOT / 'configs' / name).model


def _narrow_retinanet() -> ConfigDict:
    """RetinaNet of the widths that the shapes configs give Faster R-CNN."""
    model = _shipped('retinanet/retinanet_r101-r18_kd-rank_1x_coco.py')
    teacher = deepcopy(model)
    for detector, width in ((teacher, 32), (model, 16)):
        detector.backbone.update(depth=18, base_channels=width, frozen_stages=-1, norm_eval=False)
        detector.neck.update(in_channels=[width * 2**i for i in range(4)], out_channels=2 * width)
        detector.bbox_head.update(in_channels=2 * width, feat_channels=2 * width, num_classes=27)
    for key in ('teacher', 'distill_losses'):
        teacher.pop(key)
    teacher.type = 'RetinaNet'
    model.teacher.config = teacher
    return model
