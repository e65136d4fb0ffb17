"""Logits of any shape, dtype, memory layout and size, for Hypothesis."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
# Multiples of 1/8 make ties; the rest are what exponentials and half precision break on.
VALUES = st.one_of(
    st.integers(-40, 40).map(lambda n: n / 8),
    st.floats(-8, 8, width=32, allow_subnormal=False),
    st.sampled_from([0.0, -0.0, 1e-7, -1e-7, 88.0, -88.0, 1e4, -1e4, 6e4, -6e4]),
)


def _transposed(x: Tensor) -> Tensor:
    return x.t().contiguous().t()


def _every_other_column(x: Tensor) -> Tensor:
    return torch.stack([x, torch.full_like(x, 7)], 2).flatten(1)[:, ::2]


def _inside_a_larger_one(x: Tensor) -> Tensor:
    larger = x.new_full((len(x) + 2, x.shape[1] + 3), 7)
    larger[1:-1, 2:-1] = x
    return larger[1:-1, 2:-1]


def _one_row_for_all(x: Tensor) -> Tensor:
    return x[:1].expand(x.shape)


LAYOUTS = [
    torch.Tensor.contiguous,
    _transposed,
    _every_other_column,
    _inside_a_larger_one,
    _one_row_for_all,
]


@st.composite
def logits(draw: st.DrawFn, rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """One tensor, (rows, columns)."""
    # A few values, repeated: ties, and quick to draw.
    drawn = draw(st.lists(VALUES, min_size=1, max_size=12))
    seed = draw(st.integers(0, 2**16))
    index = torch.randint(
        len(drawn), (rows, columns), generator=torch.Generator().manual_seed(seed)
    )
    return draw(st.sampled_from(LAYOUTS))(torch.tensor(drawn, dtype=dtype)[index])
