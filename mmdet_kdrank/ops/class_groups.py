r"""Kendall's coefficient from pairs within random groups of classes, for very many classes.

For one row, the classes are shuffled and cut into G groups. Group g has n_g of the C classes. Its
coefficient tau_g is the mean over the pairs within the group:

    estimate = sum_g n_g / C tau_g

The estimate is unbiased. Under a uniform shuffle, group g is a uniformly random subset of n_g
classes, so every pair is in it with the same probability. The expected mean over its pairs is thus
the mean over all pairs, tau. The fixed weights n_g / C sum to 1. The argument is linear in the
pairs, so it holds for the gradient too, for groups of any size.

These weights have less noise than one random subset. By Hoeffding's decomposition a_ij b_ij = tau +
h_i + h_j + h_ij, where h_i is what class i adds to all of its pairs, and sum h_i = 0. The estimate
gives h_i the weight n_g / C times 2 / n_g = 2 / C. It is the same for every class, so that sum
vanishes, and the noise of the h_ij alone remains.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError
from mmdet_kdrank.ops.checks import check_choice, check_count, check_logits
from mmdet_kdrank.ops.forms import FORMS
from mmdet_kdrank.ops.kendall import kendall_tau


def grouped_kendall_tau(
    student: Tensor, teacher: Tensor, orders: Tensor, groups: int, **options: Any
) -> Tensor:
    """Estimate the plain form of Kendall's coefficient without bias, at ``1 / groups`` the cost.

    Each class is compared with the others of its group alone, in O(N C) memory, by any backend.
    Every class takes part, even if ``groups`` does not divide C: group sizes differ by at most one.

    Args:
        student: Logits that are trained, shape (N, C).
        teacher: Logits to follow, a constant; same shape and device.
        orders: Random permutations of the classes, int64, shape (K, C), on the device of the
            logits. Row n is grouped by permutation n mod K, in consecutive runs. Several
            permutations help because rows are often similar, and the errors of similar rows add up
            if they share one.
        groups: Number of groups, 1 to C // 2.
        options: Those of :func:`mmdet_kdrank.ops.kendall_tau` except ``mask``. ``form`` must not be
            ``'cosine'``, which is no mean over pairs, so its estimate would be biased.

    Returns:
        The estimates, in [-1, 1], shape (N,), float32 or float64.

    Raises:
        TypeError: If logits are not floating point, or with a mask.
        ValueError: If shapes do not fit, groups are too many, or an option is out of range.

    References:
        G. Blom, "Some properties of incomplete U-statistics", Biometrika 63 (1976), for means over
        a balanced choice of pairs.

    Example:
        >>> import torch
        >>> student = torch.tensor([[3.0, 2.0, 1.0, 0.0, -1.0]], requires_grad=True)
        >>> teacher = torch.tensor([[4.0, 3.0, 5.0, 1.0, 2.0]])
        >>> orders = torch.tensor([[0, 2, 4, 1, 3]])
        >>> tau = grouped_kendall_tau(student, teacher, orders, groups=2, surrogate='sign')
        >>> tau  # classes 0, 2, 4: 1/3; classes 1, 3: 1
        tensor([0.6000])
    """
    check_logits(student, teacher, ('student', 'teacher'))
    check_count('groups', groups)
    rows, columns = student.shape
    if 'mask' in options:
        raise ArgumentTypeError(
            'grouped_kendall_tau takes no mask: the number of valid pairs in a group would be '
            'random, and the estimate biased. Use kendall_tau.'
        )
    check_choice('form', options.get('form', 'kendall'), FORMS)
    if FORMS[options.get('form', 'kendall')].norms:
        raise ArgumentError(
            f'form={options["form"]!r} is no mean over pairs: estimated from groups it would be '
            "biased. Use form='kendall', or all pairs."
        )
    if groups > columns // 2:
        raise ArgumentError(
            f'{groups} groups of C = {columns} classes leave one alone, which has no pair; use at '
            f'most {columns // 2}.'
        )
    if orders.dtype not in (torch.int32, torch.int64):
        raise ArgumentTypeError(
            f'orders has dtype {orders.dtype}; it holds class indices: pass orders.long().'
        )
    if orders.ndim != 2 or orders.shape[1] != columns or not len(orders):
        raise ArgumentError(
            f'orders has shape {tuple(orders.shape)}; it must be (K, {columns}), with one '
            'permutation of the classes or more.'
        )
    if orders.device != student.device:
        raise ArgumentError(f'orders is on {orders.device}; move it to {student.device}.')

    orders = orders[: max(1, rows)]
    student, teacher = (_shuffled(logits, orders) for logits in (student, teacher))
    size, larger = divmod(columns, groups)
    widths = [larger * (size + 1), (groups - larger) * size]
    estimate = 0
    for members, s, t in zip(
        (size + 1, size), student.split(widths, 1), teacher.split(widths, 1), strict=True
    ):
        if s.shape[1]:
            tau = kendall_tau(s.reshape(-1, members), t.reshape(-1, members), **options)
            sums = tau.view(len(s), s.shape[1] // members).sum(1)
            estimate = estimate + sums * (members / columns)
    return estimate[:rows]


def _shuffled(logits: Tensor, orders: Tensor) -> Tensor:
    """Return row n in order n mod K, with rows of zeros appended up to a multiple of K."""
    count, columns = orders.shape
    if missing := -len(logits) % count:
        logits = F.pad(logits, (0, 0, 0, missing))
    # K rows, joined to one long row, share one index with all other such blocks. An index for each
    # of N rows would need more memory than the logits.
    index = orders + columns * torch.arange(count, device=orders.device)[:, None]
    blocks = logits.reshape(len(logits) // count, count * columns)
    return blocks.index_select(1, index.view(-1)).view(-1, columns)
