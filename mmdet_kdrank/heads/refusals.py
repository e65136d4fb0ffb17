"""Why some of MMDetection's detectors cannot be distilled by their class logits."""

from __future__ import annotations

from mmdet.models import detectors
from mmdet.models.mot import BaseMOTModel
from mmdet.models.reid import BaseReID
from mmdet.models.vis import Mask2FormerVideo

_REASONS: dict[type, str] = {
    detectors.DetectionTransformer: (
        'its queries are learned, and those of student and teacher do not correspond'
    ),
    detectors.SparseRCNN: (
        'its proposals are learned, and those of student and teacher do not correspond'
    ),
    detectors.MaskFormer: (
        'its mask queries are learned, and those of student and teacher do not correspond'
    ),
    Mask2FormerVideo: (
        'its mask queries are learned, and those of student and teacher do not correspond'
    ),
    detectors.GLIP: 'its logits are over the words of a prompt, which differ from image to image',
    detectors.KnowledgeDistillationSingleStageDetector: 'it is a distilling detector already',
    detectors.SemiBaseDetector: 'it has a teacher of its own already',
    detectors.RPN: 'it proposes regions, with one class and so nothing to rank',
    detectors.CrowdDet: (
        'it predicts a set of instances for each RoI, whose order in student and teacher may differ'
    ),
    detectors.Detectron2Wrapper: "it is Detectron2's, not MMDetection's",
    BaseReID: 'it tells persons apart on pictures cut out before, and has no RoIs or anchors',
    BaseMOTModel: 'it is a tracker; distil the detector inside with a config of its own',
}


def reason_against(detector: type) -> str | None:
    """Say why a detector class can be neither student nor teacher.

    Args:
        detector: A detector class.

    Returns:
        The reason, a clause without full stop; None where there is none.
    """
    return next((why for kind, why in _REASONS.items() if issubclass(detector, kind)), None)
