"""PKD: the correlation of features, channel by channel."""

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.losses.feature_base import FeatureDistillLoss
from mmdet_kdrank.scopes import register

# Added to the variance. The authors' code adds 1e-6 to the standard deviation.
_EPS = 1e-12


@register(MODELS)
class PKDLoss(FeatureDistillLoss):
    r"""``sum_levels mean_c (1 - r_c)``, with r the Pearson correlation of a channel's two maps.

    Both sides are standardised, channel by channel, over all images and positions of a level. Half
    of their mean squared error is ``1 - r``. The scale and the offset of a channel have no
    influence, so no adapter is needed. Student and teacher must have the same number of channels.
    The images are those of one process, including their padding. A channel that is constant on one
    side counts 1/2, on both sides 0.

    Its options are ``levels`` and ``loss_weight``, see :class:`FeatureDistillLoss`. The authors'
    configs compare the first four of five FPN levels. Their weight is 6 for Faster R-CNN and 10 for
    RetinaNet and RepPoints.

    References:
        "PKD: General Distillation Framework for Object Detectors via Pearson Correlation
        Coefficient", arXiv 2207.02039. As in the authors' code, MMRazor, the levels are added up,
        and the student's are resized to the teacher's size.

    Example:
        >>> import torch
        >>> teacher = torch.randn(2, 8, 5, 5, generator=torch.manual_seed(0))
        >>> [f'{PKDLoss()([s], [teacher]).abs():.3f}' for s in (3 * teacher + 1, -teacher)]
        ['0.000', '2.000']
    """

    def level_loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return one minus the mean correlation of the channels."""
        return F.mse_loss(_standardize(student), _standardize(teacher)) / 2


def _standardize(level: Tensor) -> Tensor:
    """Turn (B, C, h, w) into (C, B h w), with zero mean and unit variance in each row."""
    channels = level.transpose(0, 1).flatten(1)
    # layer_norm of torch 2.1 subtracts the mean after the division. A constant channel would keep
    # its rounding error, divided by sqrt(eps).
    channels = channels - channels.mean(1, keepdim=True)
    return F.layer_norm(channels, channels.shape[1:], eps=_EPS)
