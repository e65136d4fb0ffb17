"""Detectors that train a student alongside a frozen teacher."""

from mmdet_kdrank.distillers.query import DistillQueryDetector
from mmdet_kdrank.distillers.selectors import (
    AllSamples,
    PositiveSamples,
    ScoreWeightedSamples,
    TopkSamples,
)
from mmdet_kdrank.distillers.single_stage import (
    DistillSingleStageDetector,
    DistillSingleStageInstanceSegmentor,
)
from mmdet_kdrank.distillers.two_stage import DistillTwoStageDetector
from mmdet_kdrank.heads.class_output import ClassOutput, class_output, declare_class_output
from mmdet_kdrank.structures.ground_truth import GroundTruth
from mmdet_kdrank.structures.samples import DistillSamples

__all__ = [
    'AllSamples',
    'ClassOutput',
    'DistillQueryDetector',
    'DistillSamples',
    'DistillSingleStageDetector',
    'DistillSingleStageInstanceSegmentor',
    'DistillTwoStageDetector',
    'GroundTruth',
    'PositiveSamples',
    'ScoreWeightedSamples',
    'TopkSamples',
    'class_output',
    'declare_class_output',
]
