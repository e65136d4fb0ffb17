"""Declarations of MMDetection's own heads, and of what cannot be distilled and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from types import ModuleType
from typing import Any

from mmdet import models
from mmdet.models import dense_heads, roi_heads
from mmdet.models.losses import SeesawLoss
from torch import nn

from mmdet_kdrank.errors import ArgumentTypeError
from mmdet_kdrank.heads.class_output import (
    ClassOutput,
    declare_class_output,
    import_declarations,
)
from mmdet_kdrank.ops.suggestions import class_name


class _Classes:
    """The classes of a module by name; None for one that this version of MMDetection lacks."""

    def __init__(self, module: ModuleType | None) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name, None)


dense = _Classes(dense_heads)
roi = _Classes(roi_heads.bbox_heads)
detectors = _Classes(models.detectors)
trackers, reid, video = (_Classes(getattr(models, name, None)) for name in ('mot', 'reid', 'vis'))


def _declare(*head_types: type | None) -> Callable:
    return declare_class_output(*(kind for kind in head_types if kind is not None))


@_declare(
    roi.BBoxHead, roi.ConvFCBBoxHead, roi.DoubleConvFCBBoxHead, roi.SABLHead, roi.SCNetBBoxHead
)
def roi_logits(head: nn.Module) -> ClassOutput:
    """Class logits, the background last; some losses have their own number of channels."""
    loss = head.loss_cls
    if isinstance(loss, SeesawLoss):
        # Two logits of another softmax follow, which separate objects from background.
        return ClassOutput('softmax', head.num_classes, background=False, extra=2)
    channels = head.num_classes + 1
    if getattr(loss, 'custom_cls_channels', False):
        channels = loss.get_cls_channels(head.num_classes)
    if channels - head.num_classes not in (0, 1):
        name = class_name(type(head))
        raise ArgumentTypeError(
            f'{name} cannot be distilled with {type(loss).__name__}: that loss has '
            f'{channels} class channels for {head.num_classes} classes, and the meaning of the '
            'others is not known. Use a loss_cls over num_classes + 1 channels.'
        )
    activation = 'sigmoid' if loss.use_sigmoid else 'softmax'
    return ClassOutput(activation, head.num_classes, background=channels > head.num_classes)


@_declare(
    dense.ATSSHead,
    dense.AutoAssignHead,
    dense.CenterNetUpdateHead,
    dense.CondInstBboxHead,
    dense.ConditionalDETRHead,
    dense.DABDETRHead,
    dense.DDODHead,
    dense.DDQDETRHead,
    dense.DeformableDETRHead,
    dense.DETRHead,
    dense.FCOSHead,
    dense.FoveaHead,
    dense.FSAFHead,
    dense.GARetinaHead,
    dense.GFLHead,
    dense.RepPointsHead,
    dense.RetinaHead,
    dense.RetinaSepBNHead,
    dense.SABLRetinaHead,
    dense.SSDHead,
    dense.VFNetHead,
    dense.YOLACTHead,
    dense.YOLOFHead,
    dense.YOLOXHead,
)
def dense_logits(head: nn.Module) -> ClassOutput:
    """Class logits of a prior or query, without the factors of a score (centerness, IoU)."""
    background = head.cls_out_channels > head.num_classes
    return ClassOutput('softmax' if background else 'sigmoid', head.num_classes, background)


@_declare(dense.RTMDetHead, dense.RTMDetInsHead, dense.RTMDetInsSepBNHead, dense.RTMDetSepBNHead)
def _dense_normalised_later(head: nn.Module) -> ClassOutput:
    return replace(dense_logits(head), normalised_later=True)


@_declare(dense.TOODHead)
def _dense_probabilities(head: nn.Module) -> ClassOutput:
    return ClassOutput(
        'sigmoid',
        head.num_classes,
        background=False,
        kind='probabilities',
        normalised_later=True,
    )


@_declare(dense.YOLOV3Head)
def _dense_joint(head: nn.Module) -> ClassOutput:
    box_and_objectness = head.num_attrib - head.num_classes
    return ClassOutput(
        'sigmoid',
        head.num_classes,
        background=False,
        kind='joint',
        joint_offset=box_and_objectness,
    )


@_declare(dense.CenterNetHead)
def _centres(head: nn.Module) -> ClassOutput:
    return ClassOutput(
        'sigmoid',
        head.num_classes,
        background=False,
        kind='probabilities',
        cells='the centres of objects on one heat map',
    )


@_declare(dense.CornerHead, dense.CentripetalHead)
def _corners(head: nn.Module) -> ClassOutput:
    """Two kinds of heat maps: of top left and of bottom right corners."""
    return ClassOutput(
        'sigmoid',
        head.num_classes,
        background=False,
        prefixes=('tl.', 'br.'),
        cells=f'the corners of objects on heat maps of {head.num_feat_levels} levels',
    )


@_declare(dense.SOLOHead, dense.SOLOV2Head)
def _grids(head: nn.Module) -> ClassOutput:
    """Class logits of a grid over the image; SOLO's forward gives scores in evaluation."""
    grids = ', '.join(map(str, head.num_grids))
    strides = ', '.join(map(str, head.strides))
    return ClassOutput(
        'sigmoid',
        head.num_classes,
        background=False,
        output_index=1,
        cells=f'grids of {grids} cells a side on levels of strides {strides}',
    )


@_declare(dense.DecoupledSOLOHead, dense.DecoupledSOLOLightHead)
def _decoupled_grids(head: nn.Module) -> ClassOutput:
    """As SOLO's, after the masks of rows and those of columns."""
    return replace(_grids(head), output_index=2)


@_declare(roi.DIIHead)
def _proposals(head: nn.Module) -> ClassOutput:
    """Class logits of a learned proposal (Sparse R-CNN, QueryInst)."""
    background = not head.loss_cls.use_sigmoid
    return ClassOutput('softmax' if background else 'sigmoid', head.num_classes, background)


_QUERIES = 'queries are learned, and those of student and teacher do not correspond'
_MATCHED = f'{_QUERIES} without a matching: use DistillQueryDetector'
_INSTANCES = (
    'it predicts a set of instances for each RoI, whose order in student and teacher may differ'
)
_REGIONS = 'it proposes regions, with one class and so nothing to rank'
_WORDS = (
    'its logits are over the words of a prompt, which differ from image to image, and which words '
    'make a class is not known here'
)


def _refuse(reason: str, *head_types: type) -> None:
    @_declare(*head_types)
    def refusal(head: nn.Module) -> ClassOutput:
        raise ArgumentTypeError(f'{class_name(type(head))} cannot be distilled: {reason}.')


_refuse(_INSTANCES, roi.MultiInstanceBBoxHead)
_refuse(_REGIONS, dense.RPNHead, dense.GARPNHead, dense.CascadeRPNHead)
_refuse(_WORDS, dense.ATSSVLFusionHead, dense.GroundingDINOHead)

_REASONS: dict[type | None, str] = {
    detectors.GroundingDINO: _WORDS,
    detectors.DetectionTransformer: f'its {_MATCHED}',
    detectors.SparseRCNN: f'its {_MATCHED}'.replace('queries', 'proposals', 1),
    detectors.MaskFormer: f'its mask {_QUERIES}',
    video.Mask2FormerVideo: f'its mask {_QUERIES}',
    detectors.GLIP: _WORDS,
    detectors.KnowledgeDistillationSingleStageDetector: (
        "it is a distilling detector already; inherit its student's own config, GFL's for LD"
    ),
    detectors.SemiBaseDetector: 'it has a teacher of its own already; distil its detector alone',
    detectors.RPN: _REGIONS,
    detectors.CrowdDet: _INSTANCES,
    detectors.Detectron2Wrapper: "it is Detectron2's, not MMDetection's",
    reid.BaseReID: 'it distinguishes persons on cropped images, and has no RoIs or anchors',
    trackers.BaseMOTModel: (
        'it is a tracker; distil its detector with a config of its own, and give the checkpoint to '
        'detector.init_cfg'
    ),
}


def reason_against(detector: type, families: tuple[type, ...] = ()) -> str | None:
    """Return why a detector class can be neither student nor teacher; None if it can.

    Args:
        detector: A detector class.
        families: Detector classes that the distiller is made for.
    """
    import_declarations(detector)
    reasons = ((kind, why) for kind, why in _REASONS.items() if kind and kind not in families)
    return next((why for kind, why in reasons if issubclass(detector, kind)), None)


def refuse_detector(detector: type, reason: str) -> None:
    """Let :func:`reason_against` refuse a class and its subclasses.

    Args:
        detector: A detector class.
        reason: Why it can be neither student nor teacher, a clause.
    """
    _REASONS[detector] = reason


_BY_ARGUMENT = {
    'num_queries': detectors.DetectionTransformer,
    'decoder': detectors.DetectionTransformer,
    'query_head': detectors.DetectionTransformer,
    'panoptic_head': detectors.MaskFormer,
    'language_model': detectors.GLIP,
    'semi_train_cfg': detectors.SemiBaseDetector,
    'teacher_config': detectors.KnowledgeDistillationSingleStageDetector,
    'teacher_bbox_head': detectors.KnowledgeDistillationSingleStageDetector,
    'tracker': trackers.BaseMOTModel,
}
"""Arguments that only detectors of these kinds have, which tell them from a config without type."""


def reason_against_arguments(names: Iterable[str]) -> str | None:
    """Return why the detector with these arguments can be no student; None if it can.

    Args:
        names: Arguments that dense and two-stage detectors do not take.
    """
    kind = next((kind for name, kind in _BY_ARGUMENT.items() if name in names), None)
    # A version of MMDetection may lack the class.
    return _REASONS.get(kind) if kind else None
