"""The definition once more, as loops over pairs in float64, and the axes of the op's tests."""

import math
from typing import Any

import torch
from torch import Tensor

from mmdet_kdrank.ops.backends import BACKENDS, PairRequest

DEVICES = ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']

PHI = {
    'tanh': torch.tanh,
    'algebraic': lambda z: z / torch.sqrt(1 + z**2),
    'erf': lambda z: torch.erf(math.sqrt(math.pi) / 2 * z),
    'atan': lambda z: 2 / math.pi * torch.atan(math.pi / 2 * z),
    'sign': torch.sign,
}
SOFT = [name for name in PHI if name != 'sign']
# The forms with a surrogate on each side, which every backend knows.
SEPARATE = ['kendall', 'cosine']


def loop_tau(
    student: Tensor,
    teacher: Tensor,
    steepness: float = 1.0,
    surrogate: str = 'tanh',
    exact_teacher: bool = False,
    form: str = 'kendall',
    eps: float = 1e-2,
) -> Tensor:
    """tau of each row; its gradient is autograd's, through the definition."""
    phi_s, phi_t = PHI[surrogate], PHI['sign' if exact_teacher else surrogate]
    student, teacher = student.double(), teacher.double()
    columns = student.shape[1]
    ab = aa = bb = torch.zeros(len(student), dtype=torch.float64, device=student.device)
    for i in range(columns):
        for j in range(i + 1, columns):
            ds, dt = student[:, i] - student[:, j], teacher[:, i] - teacher[:, j]
            a, b = phi_s(steepness * ds), phi_t(steepness * dt)
            if form == 'product':
                a, b = phi_s(steepness * ds * dt), 1
            ab, aa, bb = ab + a * b, aa + a * a, bb + b * b
    pairs = columns * (columns - 1) / 2
    tau = ab / pairs
    return tau if form != 'cosine' else tau / ((aa / pairs * bb / pairs).sqrt() + eps)


def loop_grouped_tau(
    student: Tensor, teacher: Tensor, orders: Tensor, groups: int, **options: Any
) -> Tensor:
    """tau of each row from its groups, one group after the other, each weighing as its classes."""
    columns = student.shape[1]
    taus = []
    for row, (s, t) in enumerate(zip(student, teacher, strict=True)):
        parts = orders[row % len(orders)].tensor_split(groups)
        estimates = [
            len(part) / columns * loop_tau(s[None, part], t[None, part], **options)[0]
            for part in parts
        ]
        taus.append(sum(estimates))
    return torch.stack(taus) if taus else student.double().sum(1)


def joint_ranges(steepness: float, columns: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits, float32, whose k (R_s + R_t) runs from 1 to 1e4 in several shares, with near-ties."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for total in (1, 10, 80, 90, 170, 1e3, 1e4):
        for share in (0.02, 0.5, 0.98):
            ranges = torch.tensor([share, 1 - share]) * total / steepness
            x = torch.rand(2, columns, generator=generator)
            x[:, 0], x[:, 1] = 0, 1
            rows.append((x - 0.5) * ranges[:, None])
    student, teacher = torch.stack(rows, 1).unbind()
    inf = torch.tensor(math.inf)
    student[:, 3], teacher[:, 4] = student[:, 2].nextafter(inf), teacher[:, 2].nextafter(inf)
    student[:, 5], teacher[:, 6] = student[:, 4], teacher[:, 5]
    return student.contiguous(), teacher.contiguous()


def accepts(
    backend: str,
    device: str = 'cpu',
    dtype: torch.dtype = torch.float64,
    surrogate: str = 'tanh',
    exact_teacher: bool = False,
) -> bool:
    """Whether a backend takes such a call, by its own word."""
    logits = torch.zeros(1, 2, dtype=dtype, device=device)
    request = PairRequest(surrogate, 'sign' if exact_teacher else surrogate, 1.0, True, True)
    return BACKENDS[backend].refusal(logits, logits, request) is None


def best_dtype(backend: str) -> torch.dtype:
    """The widest dtype that a backend computes in."""
    return torch.float64 if accepts(backend) else torch.float32


# Without a compiler the native backend refuses every call. Triton's interpreter takes a second for
# what the others do in a millisecond.
CPU_BACKENDS = sorted(
    name
    for name in set(BACKENDS) - {'triton'}
    if any(accepts(name, dtype=dtype) for dtype in (torch.float64, torch.float32))
)
