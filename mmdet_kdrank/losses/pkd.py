"""PKD: the correlation of features, channel by channel."""

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.feature_base import FeatureDistillLoss

# Of the variance. In the authors' code 1e-6 is added to the standard deviation.
_EPS = 1e-12


@MODELS.register_module()
class PKDLoss(FeatureDistillLoss):
    r"""``sum_levels mean_c (1 - r_c)``, with r the Pearson correlation of a channel's two maps.

    Both sides are standardised, channel by channel over all images and positions of a level, and
    half of their mean squared error is ``1 - r``: neither the scale nor the offset of a channel
    counts, so no adapter is needed. Student and teacher must have the same number of channels. The
    images are those of one process, their padding included. A channel that is constant on one side
    counts 1/2, on both sides 0.

    It takes ``levels`` and ``loss_weight``, see :class:`FeatureDistillLoss`. The authors' configs
    compare the first four of five FPN levels, with a weight of 6 for Faster R-CNN and 10 for
    RetinaNet and RepPoints.

    References:
        "PKD: General Distillation Framework for Object Detectors via Pearson Correlation
        Coefficient", arXiv 2207.02039. Adding up levels and resizing the student's to the
        teacher's size are as in the authors' code, MMRazor.

    Example:
        >>> import torch
        >>> teacher = torch.randn(2, 8, 5, 5, generator=torch.manual_seed(0))
        >>> [f'{PKDLoss()([s], [teacher]).abs():.3f}' for s in (3 * teacher + 1, -teacher)]
        ['0.000', '2.000']
    """

    def level_loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """One minus the mean correlation of the channels."""
        return F.mse_loss(_standardize(student), _standardize(teacher)) / 2


def _standardize(level: Tensor) -> Tensor:
    """(B, C, h, w) to (C, B h w), zero mean and unit variance in each row."""
    channels = level.transpose(0, 1).flatten(1)
    # layer_norm of torch 2.1 subtracts the mean after the division, which leaves a constant channel
    # with its rounding error divided by sqrt(eps).
    channels = channels - channels.mean(1, keepdim=True)
    return F.layer_norm(channels, channels.shape[1:], eps=_EPS)
