"""The coefficient as a user would write it, with autograd's gradient."""

import torch
from torch import Tensor

# kendall_tau's default.
_EPS = 1e-2


def plain(student: Tensor, teacher: Tensor, form: str) -> Tensor:
    """Every ordered pair, as (N, C, C) tensors.

    Args:
        student: Logits, shape (N, C).
        teacher: Logits, shape (N, C).
        form: ``'kendall'`` or ``'cosine'``.

    Returns:
        The soft coefficients, shape (N,).
    """
    a = torch.tanh(student[:, :, None] - student[:, None, :]).flatten(1)
    b = torch.tanh(teacher[:, :, None] - teacher[:, None, :]).flatten(1)
    columns = student.shape[1]
    return _combine(a, b, form, columns * (columns - 1))


def triu(student: Tensor, teacher: Tensor, form: str) -> Tensor:
    """Every unordered pair, gathered by the indices of the upper triangle.

    Args:
        student: Logits, shape (N, C).
        teacher: Logits, shape (N, C).
        form: ``'kendall'`` or ``'cosine'``.

    Returns:
        The soft coefficients, shape (N,).
    """
    i, j = torch.triu_indices(student.shape[1], student.shape[1], 1, device=student.device)
    a = torch.tanh(student[:, i] - student[:, j])
    b = torch.tanh(teacher[:, i] - teacher[:, j])
    return _combine(a, b, form, len(i))


def _combine(a: Tensor, b: Tensor, form: str, pairs: int) -> Tensor:
    mean = (a * b).sum(1) / pairs
    if form == 'kendall':
        return mean
    norms = (a.square().sum(1) / pairs).sqrt() * (b.square().sum(1) / pairs).sqrt()
    return mean / (norms + _EPS)


def soft_spearman(student: Tensor, teacher: Tensor, form: str) -> Tensor:
    """Correlation of torchsort's soft ranks: another measure of the same thing.

    Args:
        student: Logits, shape (N, C).
        teacher: Logits, shape (N, C).
        form: Unused; it has one form.

    Returns:
        The coefficients, shape (N,).
    """
    from torchsort import soft_rank

    ranks = [soft_rank(logits) for logits in (student, teacher)]
    a, b = (x - x.mean(1, keepdim=True) for x in ranks)
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
