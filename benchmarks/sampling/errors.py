"""How far an estimate is from the full loss, and its gradient from the full gradient."""

from collections.abc import Callable

import torch
from torch import Tensor

from mmdet_kdrank.losses import KendallRankLoss


def errors(
    estimate: Callable[[Tensor, Tensor], Tensor], student: Tensor, teacher: Tensor, repeats: int
) -> dict[str, float]:
    """Measure root mean square errors over calls: standard deviations, if there is no bias.

    Args:
        estimate: ``(student, teacher) -> loss``, a scalar that differs on each call.
        student: Logits, shape (N, C), which require a gradient.
        teacher: Logits, shape (N, C).
        repeats: Calls.

    Returns:
        ``loss_sd``, absolute. ``grad_sd``, of the gradient (N, C), relative to its norm.
        ``summed_grad_sd``, the same of its sum over the rows, (C,), which is the gradient of a
        classifier's bias.
    """

    def evaluate(loss: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
        value = loss(student, teacher)
        (grad,) = torch.autograd.grad(value, student)
        return [value.detach().double(), grad.double(), grad.double().sum(0)]

    full = evaluate(KendallRankLoss())
    squares = torch.zeros(3, dtype=torch.float64)
    for _ in range(repeats):
        pairs = zip(evaluate(estimate), full, strict=True)
        squares += torch.stack([(one - other).square().sum() for one, other in pairs]).cpu()
    loss, grad, summed = (squares / repeats).sqrt().tolist()
    return {
        'loss_sd': loss,
        'grad_sd': grad / full[1].norm().item(),
        'summed_grad_sd': summed / full[2].norm().item(),
    }
