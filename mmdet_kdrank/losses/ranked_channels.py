"""Which channels of a row are ranked."""

import torch
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.ops.checks import check_choice

CHANNELS = ('all', 'top', 'bottom')


class RankedChannels:
    """Chooses, row by row, the channels that a ranking loss compares.

    Every row keeps equally many. So their logits are gathered, and the op compares fewer pairs. The
    result is that of the op with a mask of these channels.

    Args:
        channels: ``'all'``, or the ``'top'`` or ``'bottom'`` of the teacher's logits.
        keep: How many of them: a share between 0 and 1, or a number. None with ``'all'``.
        without_target: Leaves out the channel of the row's label first.
        least: Fewest channels that can be ranked.

    Raises:
        ValueError: If an option is unknown or out of range, or ``keep`` meets ``'all'``.

    Example:
        >>> teacher = torch.tensor([[5.0, 1.0, 3.0, 0.0, 2.0]])
        >>> RankedChannels('bottom', 2)(teacher)
        tensor([[3, 1]])
        >>> RankedChannels('top', 0.5, without_target=True)(teacher, torch.tensor([0]))
        tensor([[2, 4]])
    """

    def __init__(
        self,
        channels: str = 'all',
        keep: float | None = None,
        without_target: bool = False,
        least: int = 2,
    ) -> None:
        check_choice('channels', channels, CHANNELS)
        if channels == 'all' and keep is not None:
            raise ArgumentError(
                f"keep={keep!r} has no meaning with channels='all'. Leave it out, or set "
                "channels='top' or 'bottom'."
            )
        share = isinstance(keep, float) and 0 < keep < 1
        number = isinstance(keep, int) and keep >= least
        if channels != 'all' and not (share or number):
            raise ArgumentError(
                f'keep={keep!r} with channels={channels!r} must be a share between 0 and 1, say '
                f'0.1, or a whole number of at least {least}.'
            )
        self.channels, self.keep = channels, keep
        self.without_target, self.least = without_target, least

    def __call__(self, teacher: Tensor, labels: Tensor | None = None) -> Tensor:
        """Choose the channels.

        Args:
            teacher: Teacher logits, (N, C).
            labels: Channel of each row's target, (N,), int64; needed to leave it out.

        Returns:
            Their indices, (N, M), the best or the worst first.

        Raises:
            ValueError: If a row has fewer channels than can be ranked, or than are to be kept.
        """
        columns = torch.arange(teacher.shape[1], device=teacher.device)
        if self.without_target:
            # Indices, because with a mask the CPU would wait for the device to count them.
            columns = columns[:-1] + (columns[:-1] >= labels[:, None])
        else:
            columns = columns.expand(teacher.shape)
        if columns.shape[1] < self.least:
            fix = 'Leave out without_target' if self.without_target else "Use form='kendall'"
            raise ArgumentError(
                f'A row has {columns.shape[1]} channels to choose from, and this ranking needs at '
                f'least {self.least}. {fix}.'
            )
        if self.channels == 'all':
            return columns
        count = self.keep
        if isinstance(count, float):
            count = max(self.least, round(count * columns.shape[1]))
        if count > columns.shape[1]:
            raise ArgumentError(
                f'channels={self.channels!r} keeps {count} channels and a row has '
                f'{columns.shape[1]} to choose from. Set keep to at most that.'
            )
        values = teacher.gather(1, columns)
        best = values.topk(count, 1, largest=self.channels == 'top').indices
        return columns.gather(1, best)
