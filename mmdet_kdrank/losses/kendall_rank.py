"""The Kendall ranking loss."""

from mmdet.registry import MODELS
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.losses.base import LogitDistillLoss
from mmdet_kdrank.losses.ranked_channels import RankedChannels
from mmdet_kdrank.losses.shuffles import Shuffles
from mmdet_kdrank.ops import BACKENDS, FORMS, SURROGATES, grouped_kendall_tau, kendall_tau
from mmdet_kdrank.ops.checks import check_choice, check_count, check_positive
from mmdet_kdrank.scopes import register

PRESETS = {'paper': dict(steepness=100.0)}
"""Options by preset, where they differ from the defaults."""


def standardize_rows(logits: Tensor, eps: float, valid: Tensor | None = None) -> Tensor:
    """Shift and scale each row to zero mean and unit variance.

    Args:
        logits: Shape (N, C).
        eps: Added to the (biased) variance, in squared units of logit.
        valid: Columns that count, at least one per row, bool, shape (N, C); None: all.

    Returns:
        Shape (N, C), 0 where not valid.
    """
    if valid is None:
        centred = logits - logits.mean(1, keepdim=True)
        return centred * (centred.square().mean(1, keepdim=True) + eps).rsqrt()
    count = valid.sum(1, keepdim=True)
    mean = logits.masked_fill(~valid, 0).sum(1, keepdim=True) / count
    centred = (logits - mean).masked_fill(~valid, 0)
    return centred * (centred.square().sum(1, keepdim=True) / count + eps).rsqrt()


@register(MODELS)
class KendallRankLoss(LogitDistillLoss):
    r"""``1 - tau`` between the student's and the teacher's logits, row by row.

    It makes the student rank the classes as the teacher does. Use it alongside a logit distillation
    loss, not in its place. With ``form='kendall'`` the gradient of ``tau`` is bounded by
    ``2 steepness / C`` for each class, for any probability of the class.
    ``docs/explanation/ranking_loss.md`` explains each option.

    Args:
        steepness: Slope of the surrogate at 0, per unit of logit (of standard deviation, if
            ``standardize``). None: the preset's, without one 1.0, which is ours. Steep surrogates
            need precise logits: bfloat16 changes the gradient at random logits (deviation 3, 81
            classes) by 0.2 % at 1, 3 % at 10 and 36 % at 100, and float16 by 5 % at 100. From 10
            on, run the class head outside autocast.
        surrogate: ``'tanh'``, ``'algebraic'``, ``'erf'`` or ``'atan'``.
        form: ``'kendall'``, the paper's; ``'cosine'``, which is at its minimum when the logits
            agree; or ``'product'``, one surrogate of the product of both gaps, as in DiffKendall.
            With ``standardize`` it is that of MRKD along the rows, up to constants.
        standardize: Scales both sides to zero mean and unit variance per row first, so the scale of
            the logits has no influence.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight: Factor on the loss. In ``distill_losses`` it may be a share of another entry's
            gradient (:class:`~mmdet_kdrank.distillers.balance.Share`), as for every loss there.
        exact_teacher: Uses the sign itself on the teacher's side.
        eps: Added to the cosine form's denominator; see :func:`mmdet_kdrank.ops.kendall_tau`.
        standardize_eps: Added to the variance. For a freshly initialised head, whose logits differ
            by 1e-4, it limits the amplification of the gradient to 1 / sqrt(1e-3) = 32.
        backend: Backend of :func:`mmdet_kdrank.ops.kendall_tau`.
        class_groups: Number of groups into which each call splits the classes at random. Classes
            are compared within their group, so the cost is divided by this number. For thousands of
            classes; unbiased, and not for ``form='cosine'``. 1: all pairs.
        seed: Seed of these groups. No other random number depends on it.
        channels: Which channels of a row are ranked: ``'all'``, or the ``'top'`` or ``'bottom'`` of
            the teacher's logits, which a figure of the paper is said to compare.
        keep: How many of them: a share of the channels (0.1 in that figure), or a number.
        without_target: Leaves out the channel of the row's label. A row without one, such as a
            sigmoid head's background, then has loss 0.
        preset: ``'paper'`` is ``steepness=100``, which reviews of the paper call its best; its
            abstract, all that we have, names none. By them it gives rank the weight of KL. Here
            that is ``KDLoss`` and this loss with weight 1, on all RoIs: the defaults.

    Raises:
        ValueError: If an option is unknown or out of range, ``class_groups`` meets
            ``form='cosine'``, ``exact_teacher`` meets ``form='product'``, or ``steepness``
            contradicts the preset.

    References:
        "Enhancing Logits Distillation with Plug&Play Kendall's tau Ranking Loss", arXiv 2409.17823.
        Before it, with ``form='product'``: "DiffKendall", arXiv 2307.15317 (few-shot learning), and
        "Monotonic Rank Distillation" (MRKD, 2024), a fork of mdistiller.

    Example:
        >>> import torch
        >>> teacher = torch.tensor([[8.0, 4.0, 0.0]])
        >>> loss = KendallRankLoss(steepness=4.0)
        >>> loss(teacher, teacher), loss(-teacher, teacher)
        (tensor(0.), tensor(2.))
    """

    def __init__(
        self,
        steepness: float | None = None,
        surrogate: str = 'tanh',
        form: str = 'kendall',
        standardize: bool = False,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        exact_teacher: bool = False,
        eps: float = 1e-2,
        standardize_eps: float = 1e-3,
        backend: str = 'auto',
        class_groups: int = 1,
        seed: int = 0,
        channels: str = 'all',
        keep: float | None = None,
        without_target: bool = False,
        preset: str | None = None,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if preset is not None:
            check_choice('preset', preset, PRESETS)
            if steepness not in (None, PRESETS[preset]['steepness']):
                raise ArgumentError(
                    f'preset={preset!r} contradicts steepness={steepness!r}. Leave out one of them.'
                )
            steepness = PRESETS[preset]['steepness']
        steepness = 1.0 if steepness is None else steepness
        # The sign has no gradient: as a loss it would train nothing.
        check_choice('surrogate', surrogate, set(SURROGATES) - {'sign'})
        check_choice('form', form, FORMS)
        check_choice('backend', backend, ['auto', *BACKENDS])
        check_positive('steepness', steepness)
        check_positive('eps', eps)
        check_positive('standardize_eps', standardize_eps)
        check_count('class_groups', class_groups)
        check_count('seed', seed, least=0)
        if class_groups > 1 and FORMS[form].norms:
            raise ArgumentError(
                f'class_groups={class_groups} with form={form!r}: a ratio of means over sampled '
                "pairs is biased. Use form='kendall', or class_groups=1, which compares all pairs."
            )
        if exact_teacher and FORMS[form].product:
            raise ArgumentError(
                f"form={form!r} has no surrogate of the teacher's own. Leave out exact_teacher."
            )
        self.ranked = RankedChannels(channels, keep, without_target, FORMS[form].min_columns)
        self.chooses_channels = channels != 'all' or without_target
        self.requires_labels = without_target
        self.class_groups = class_groups
        self.shuffles = Shuffles(seed) if class_groups > 1 else None
        self.standardize = standardize
        self.standardize_eps = standardize_eps
        self.options = {
            'steepness': steepness,
            'surrogate': surrogate,
            'backend': backend,
            'exact_teacher': exact_teacher,
            'form': form,
            'eps': eps,
        }

    def row_loss(
        self,
        pred: Tensor,
        soft_label: Tensor,
        valid: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        """Return ``1 - tau`` of each row, shape (N,).

        ``valid`` marks the columns that count, bool, shape (N, C); not with ``class_groups`` or
        ``channels``.
        """
        if self.chooses_channels:
            columns = self.ranked(soft_label, labels)
            pred, soft_label = pred.gather(1, columns), soft_label.gather(1, columns)
        if self.standardize:
            pred = standardize_rows(pred, self.standardize_eps, valid)
            if not self.options['exact_teacher']:
                # The sign of a difference does not need it, and rounding would merge near-ties.
                soft_label = standardize_rows(soft_label, self.standardize_eps, valid)
        if self.class_groups == 1:
            return 1 - kendall_tau(pred, soft_label, valid, **self.options)
        orders = self.shuffles.draw(pred.shape[1], pred.device)
        return 1 - grouped_kendall_tau(pred, soft_label, orders, self.class_groups, **self.options)

    def extra_repr(self) -> str:
        """Return the options, for the printed model."""
        options = dict(
            self.options,
            standardize=self.standardize,
            channels=self.ranked.channels,
            class_groups=self.class_groups,
            loss_weight=self.loss_weight,
        )
        return ', '.join(f'{name}={value!r}' for name, value in options.items())
