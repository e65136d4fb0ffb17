r"""The least work of forward pass and gradient, counted on paper: tanh, float32.

With p = exp(2k (s - m)), q = exp(2k (t - m')), P = p_i + p_j and Q = q_i + q_j,

    a = tanh(k (s_i - s_j)) = (p_i - p_j) / P        b = tanh(k (t_i - t_j)) = (q_i - q_j) / Q

and one reciprocal per pair, r = 1 / (P Q), serves both sides. k (1 - a^2) = 4k p_i p_j / P^2.

Form 'kendall', with squares computed once per logit:

    w_ij = b / P^2 = (q_i^2 - q_j^2) r^2 = -w_ji
    a b = (p_i^2 - p_j^2) w_ij        d/ds_i sum a b = 4k p_i sum_j p_j w_ij

    for an unordered pair: P, Q, and two differences of squares           4 additions
    P Q, its r, g = (q_i^2 - q_j^2) r, w = g r                            3 multiplications
    tau += (p_i^2 - p_j^2) w, A_i += p_j w, A_j -= p_i w                  3 multiply-adds

The usual form, a b = (p_i - p_j) u with u = (q_i - q_j) r and w = u (r Q), takes one more
multiplication. Without antisymmetry, each *ordered* pair takes 4 additions (P, Q, one difference of
squares, W_i += w), 3 multiplications and A_i += p_j w. The sum of a b is then sum_i p_i^2 W_i.

Form 'cosine' needs a and b themselves, and a second gradient:

    P, Q, p_i - p_j, q_i - q_j                                            4 additions
    P Q, its r, v = r Q, z = r P, a, b, c = v^2, c b, c a                 8 multiplications
    sums of a b, a a and b b, and two gradients                           7 multiply-adds (5)
"""

from typing import NamedTuple

_FLOAT = 4


class _Cost(NamedTuple):
    """Arithmetic of a pair or a logit; a multiply-add is one multiplication."""

    additions: int
    multiplications: int


_UNORDERED = {'kendall': _Cost(4, 6), 'cosine': _Cost(4, 15)}
_ORDERED = {'kendall': _Cost(4, 4), 'cosine': _Cost(4, 13)}
# The arguments of the exponentials, the squares for 'kendall', and the factors on A.
_LOGIT = {'kendall': _Cost(0, 2 + 2 + 2), 'cosine': _Cost(0, 2 + 3)}


class Work(NamedTuple):
    """What a call must do.

    Attributes:
        bytes: Read student and teacher, write tau and the gradient.
        exponentials: One a logit and side.
        reciprocals: One a pair.
        additions: Additions and subtractions.
        multiplications: Multiplications and multiply-adds.
    """

    bytes: int
    exponentials: int
    reciprocals: int
    additions: int
    multiplications: int


def pair_work(form: str, antisymmetry: bool = True) -> tuple[int, int, int]:
    """Return what an unordered pair takes.

    Args:
        form: ``'kendall'`` or ``'cosine'``.
        antisymmetry: Whether it is evaluated once, instead of in both orders.

    Returns:
        Additions, multiplications and reciprocals.
    """
    if antisymmetry:
        return *_UNORDERED[form], 1
    additions, multiplications = _ORDERED[form]
    return 2 * additions, 2 * multiplications, 2


def work(n: int, c: int, form: str = 'kendall', antisymmetry: bool = True) -> Work:
    """Count the work of forward and gradient.

    Args:
        n: Rows.
        c: Classes, at least 2.
        form: ``'kendall'`` or ``'cosine'``.
        antisymmetry: Whether each pair is evaluated once and serves both its classes.

    Returns:
        The totals over all rows.
    """
    if c < 2:
        raise ValueError(f'C = {c}: a ranking needs at least 2 classes.')
    pairs = n * c * (c - 1) // 2
    additions, multiplications, reciprocals = pair_work(form, antisymmetry)
    logit = _LOGIT[form]
    return Work(
        bytes=_FLOAT * n * (3 * c + 1),
        exponentials=2 * n * c,
        reciprocals=pairs * reciprocals,
        additions=pairs * additions + n * c * logit.additions,
        multiplications=pairs * multiplications + n * c * logit.multiplications,
    )
