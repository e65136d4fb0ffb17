"""Losses on logits and on features, registered in MODELS, one per file."""

from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.losses.binary_kd import BinaryKDLoss
from mmdet_kdrank.losses.candidate_base import CandidateLoss
from mmdet_kdrank.losses.candidate_rank import CandidateRankLoss
from mmdet_kdrank.losses.dist import DISTLoss
from mmdet_kdrank.losses.dkd import DKDLoss
from mmdet_kdrank.losses.feature_base import FeatureDistillLoss
from mmdet_kdrank.losses.feature_mimic import FeatureMimicLoss
from mmdet_kdrank.losses.kd import KDLoss
from mmdet_kdrank.losses.kendall_rank import KendallRankLoss
from mmdet_kdrank.losses.lskd import LSKDLoss
from mmdet_kdrank.losses.mse import LogitMSELoss
from mmdet_kdrank.losses.nkd import NKDLoss
from mmdet_kdrank.losses.pkd import PKDLoss
from mmdet_kdrank.losses.quality_focal_kd import QualityFocalKDLoss
from mmdet_kdrank.losses.rank_mimic import RankMimicLoss

__all__ = [
    'BinaryKDLoss',
    'CandidateLoss',
    'CandidateRankLoss',
    'DISTLoss',
    'DKDLoss',
    'FeatureDistillLoss',
    'FeatureMimicLoss',
    'KDLoss',
    'KendallRankLoss',
    'LSKDLoss',
    'LogitDistillLoss',
    'LogitMSELoss',
    'NKDLoss',
    'PKDLoss',
    'QualityFocalKDLoss',
    'RankMimicLoss',
]
