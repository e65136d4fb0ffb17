"""Splits a softmax into its target class and the distribution over the other classes."""

import torch
from torch import Tensor


def split_target(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-probabilities of the target, of all others together, and among the others.

    All values stay logarithms. So the distribution among the others is exact even if the target's
    probability is 1 to the last bit.

    Args:
        logits: Shape (N, C). N may be 0.
        labels: Column of each row's target, shape (N,), int64.

    Returns:
        ``log p`` and ``log(1 - p)`` of the target, both of shape (N,). Then the log-probabilities
        of the other classes in their order, normalised to sum to 1, shape (N, C - 1).

    Example:
        >>> logits = torch.tensor([[0.2, 0.3, 0.5]]).log()
        >>> [part.exp() for part in split_target(logits, torch.tensor([2]))]
        [tensor([0.5000]), tensor([0.5000]), tensor([[0.4000, 0.6000]])]
    """
    log_p = logits.log_softmax(1)
    target = labels[:, None]
    columns = torch.arange(logits.shape[1] - 1, device=logits.device)
    # Indices, because with a mask the CPU would wait for the device to count its selection.
    others = log_p.gather(1, columns + (columns >= target))
    log_rest = others.logsumexp(1)
    return log_p.gather(1, target).squeeze(1), log_rest, others - log_rest[:, None]
