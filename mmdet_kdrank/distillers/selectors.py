"""Which RoIs or anchors are distilled, and with what weight and normaliser.

A selector takes all :class:`~mmdet_kdrank.structures.samples.DistillSamples` of a head and returns
those to be distilled, with ``weights`` (N,) and ``avg_factor`` set. ``avg_factor`` is the number or
total weight of the rows of this rank, 0 without rows. The distiller adds up the ranks'
(:func:`~mmdet_kdrank.distributed.global_avg_factor`), and the sum counts at least 1.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.ops.checks import check_count
from mmdet_kdrank.scopes import register
from mmdet_kdrank.structures.samples import DistillSamples


@register(TASK_UTILS)
class AllSamples:
    """Keeps all rows, with the weights and the normaliser of the student's own class loss.

    RoIs have weight 1, and the normaliser is their number. Anchors outside the image have weight 0,
    and the normaliser is the number of positives, at least 1 an image. Some heads give its mean
    over the ranks (ATSS, GFL; FCOS and others at least 1), which another mean does not change. If a
    head gives ``loss_cls`` no normaliser (TOOD, RTMDet, YOLOv3), it is the number of positives.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
        >>> samples = DistillSamples(
        ...     logits, logits, torch.tensor([0, 0, 1]), 'sigmoid', False, 2,
        ...     labels=torch.tensor([0, 2, 1]), weights=torch.ones(3))
        >>> chosen = AllSamples()(samples)
        >>> len(chosen), float(chosen.avg_factor)
        (3, 2.0)
    """

    def __call__(self, samples: DistillSamples) -> DistillSamples:
        """Keep all rows; raise ValueError if the student's head gives no label weights."""
        if samples.weights is None:
            raise ArgumentError(
                "AllSamples weighs rows as the student's own class loss does, and the student's "
                'head does not pass one label and weight a prior to loss_cls. Choose '
                "selector=dict(type='TopkSamples') or 'ScoreWeightedSamples'."
            )
        factor = samples.avg_factor
        if factor is None:
            factor = samples.positive().sum()
        return replace(samples, avg_factor=factor)


@register(TASK_UTILS)
class PositiveSamples:
    """Keeps the rows that the student's own assignment calls foreground.

    They have weight 1, and the normaliser is their number.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
        >>> samples = DistillSamples(
        ...     logits, logits, torch.tensor([0, 0, 1]), 'sigmoid', False, 2,
        ...     labels=torch.tensor([0, 2, 1]))
        >>> chosen = PositiveSamples()(samples)
        >>> chosen.labels, chosen.avg_factor
        (tensor([0, 1]), 2.0)
    """

    def __call__(self, samples: DistillSamples) -> DistillSamples:
        """Keep foreground rows."""
        return samples.take(samples.positive().nonzero().squeeze(1))


@register(TASK_UTILS)
class TopkSamples:
    """Keeps the rows of each image with the teacher's highest foreground scores.

    They have weight 1, and the normaliser is their number.

    Args:
        k: Rows an image. Defaults to 1000, MMDetection's ``nms_pre``: only so many priors can
            become detections.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
        >>> samples = DistillSamples(logits, logits, torch.tensor([0, 0, 1]), 'sigmoid', False, 2)
        >>> chosen = TopkSamples(k=1)(samples)
        >>> chosen.teacher, chosen.avg_factor
        (tensor([[2., 0.],
                [3., 0.]]), 2.0)
    """

    def __init__(self, k: int = 1000) -> None:
        check_count('k', k)
        self.k = k

    def __call__(self, samples: DistillSamples) -> DistillSamples:
        """Keep the k best rows of each image, in their own order."""
        score = samples.teacher_score()
        if samples.num_images:
            return samples.take(self._of_equal_images(samples, score))
        chosen = []
        for image in range(int(samples.image.max()) + 1 if len(samples) else 0):
            rows = (samples.image == image).nonzero().squeeze(1)
            # The order by score is not needed, since the rows get their own order back below.
            best = score[rows].topk(min(self.k, len(rows)), sorted=False).indices
            chosen.append(rows[best])
        if not chosen:
            return samples.take(samples.image)
        return samples.take(torch.cat(chosen).sort().values)

    def _of_equal_images(self, samples: DistillSamples, score: Tensor) -> Tensor:
        """Return the best rows of images of one size, without a question to the device."""
        images = torch.arange(samples.num_images, device=score.device)[:, None]
        scores = score.where(samples.image == images, -1)
        rows = len(samples) // samples.num_images
        return scores.topk(min(self.k, rows), sorted=False).indices.flatten().sort().values


@register(TASK_UTILS)
class ScoreWeightedSamples:
    """Keeps all rows, weighted by the teacher's highest foreground score.

    The normaliser is the total weight.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
        >>> samples = DistillSamples(logits, logits, torch.tensor([0, 0, 1]), 'sigmoid', False, 2)
        >>> chosen = ScoreWeightedSamples()(samples)
        >>> [f'{weight:.2f}' for weight in chosen.weights]
        ['0.88', '0.73', '0.95']
    """

    def __call__(self, samples: DistillSamples) -> DistillSamples:
        """Keep all rows."""
        weights = samples.teacher_score()
        return replace(samples, weights=weights, avg_factor=weights.sum())
