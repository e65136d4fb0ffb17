"""Detectors that train a student beside a frozen teacher."""

from . import heads  # noqa: F401  (imported for what it declares)
from .class_output import ClassOutput, class_output, declare_class_output
from .ground_truth import GroundTruth
from .samples import DistillSamples
from .selectors import AllSamples, PositiveSamples, ScoreWeightedSamples, TopkSamples
from .single_stage import DistillSingleStageDetector, DistillSingleStageInstanceSegmentor
from .two_stage import DistillTwoStageDetector

__all__ = [
    'AllSamples',
    'ClassOutput',
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
