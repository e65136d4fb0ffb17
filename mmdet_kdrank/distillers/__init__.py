"""Detectors that train a student beside a frozen teacher."""

from .class_output import ClassOutput, class_output, declare_class_output
from .ground_truth import GroundTruth
from .samples import DistillSamples
from .selectors import AllSamples, PositiveSamples, ScoreWeightedSamples, TopkSamples
from .single_stage import DistillSingleStageDetector
from .two_stage import DistillTwoStageDetector

__all__ = [
    'AllSamples',
    'ClassOutput',
    'DistillSamples',
    'DistillSingleStageDetector',
    'DistillTwoStageDetector',
    'GroundTruth',
    'PositiveSamples',
    'ScoreWeightedSamples',
    'TopkSamples',
    'class_output',
    'declare_class_output',
]
