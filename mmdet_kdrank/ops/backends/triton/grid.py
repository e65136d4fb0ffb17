"""The launch of the kernels: when they can run, in which shape, and with which memory."""

import functools
from types import SimpleNamespace

import torch
from torch import Tensor

from mmdet_kdrank.ops.backends.base import PRODUCT, Backend, PairRequest, PairSums, sum_dtype
from mmdet_kdrank.ops.backends.tiles import LARGEST_RANGE

# A warp of rows: with one warp a program, Triton's layout puts one row into each lane.
_BLOCK_N = 32
_BLOCK_C = 32

# From so many rows on, one warp for each 32 rows fills the largest GPU: 132 multiprocessors of four
# schedulers with two warps each. Then each pair is visited only once.
_ROWS_FOR_HALF = 1 << 15

# So many programs fill such a GPU several times over.
_ENOUGH_PROGRAMS = 1 << 11


@functools.cache
def _kernels() -> SimpleNamespace | str:
    """Return the kernels, or why there are none; the slow import of Triton waits for first use."""
    try:
        from triton import knobs

        from mmdet_kdrank.ops.backends.triton.finish import finish
        from mmdet_kdrank.ops.backends.triton.pairs import pairs
        from mmdet_kdrank.ops.backends.triton.prepare import prepare
    except ImportError as error:
        return f"it needs Triton 3.4 or newer ({error}); install it, or use backend='chunked'."
    return SimpleNamespace(prepare=prepare, pairs=pairs, finish=finish, knobs=knobs.runtime)


def refusal(student: Tensor, teacher: Tensor, request: PairRequest) -> str | None:
    """Return why this backend cannot compute the call, or None.

    On a CPU it needs Triton's interpreter (``TRITON_INTERPRET=1``), which is for tests.
    """
    kernels = _kernels()
    if isinstance(kernels, str):
        return kernels
    if student.device.type != 'cuda' and not kernels.knobs.interpret:
        return f"it runs on CUDA and the logits are on {student.device}; use backend='auto'."
    if sum_dtype(student, teacher) is not torch.float32:
        return "it computes in float32 and the logits are float64; use backend='chunked'."
    if request.phi_teacher == PRODUCT:
        return "it knows a surrogate on each side, not form='product'; use backend='chunked'."
    return None


def launch_shape(rows: int, columns: int) -> tuple[bool, int]:
    """Choose how the pairs of (N, C) logits are distributed over programs.

    The choice follows a rule, not a timing. Timing could choose differently in the next run, and
    sums in another order differ in their last bits.

    Returns:
        Whether a program takes all classes of its rows, and each pair once; and BLOCK_I.
    """
    if rows >= _ROWS_FOR_HALF:
        return True, 8
    programs = -(-rows // _BLOCK_N) * -(-columns // 8)
    return False, 8 if programs >= _ENOUGH_PROGRAMS else 4


def pair_sums(
    student: Tensor, teacher: Tensor, mask: Tensor | None, request: PairRequest
) -> PairSums:
    """Compute the pair sums in O(N C) memory, as :class:`Backend` asks for."""
    rows, columns = student.shape
    half, block_i = launch_shape(rows, columns)
    blocks, parts = -(-rows // _BLOCK_N), 1 if half else -(-columns // block_i)
    sides = 2 if request.norms else 1
    new = functools.partial(student.new_empty, dtype=torch.float32)
    row_sums, grads = new(2 * sides - 1, rows), new(sides, rows, columns)
    results = PairSums(row_sums[0], *_norms(row_sums), *grads)
    if not rows:
        return results

    kernels = _kernels()
    masked = mask is not None
    planes = new(2 + sides + masked, columns, rows)
    part_sums, broken = new(2 * sides - 1, parts, rows), new(rows)
    is_narrow = new(blocks, dtype=torch.int32)
    # Arguments that are not used get some tensor that is not read.
    valid = planes[-1]
    mask = mask.contiguous().view(torch.uint8) if masked else broken
    sums_ab, sums_aa = planes[2], planes[1 + sides]
    part_aa, part_bb = _norms(part_sums, otherwise=broken)
    row_aa, row_bb = _norms(row_sums, otherwise=broken)
    shape = (rows, columns, request.steepness)
    exponentials = request.phi_student == request.phi_teacher == 'tanh'
    kernels.prepare[(blocks,)](
        *(student, *student.stride(), teacher, *teacher.stride(), mask, *shape, LARGEST_RANGE),
        *(planes[0], planes[1], valid, is_narrow, broken),
        EXPONENTIALS=exponentials,
        MASKED=masked,
        BLOCK_N=_BLOCK_N,
        BLOCK_C=_BLOCK_C,
    )
    kernels.pairs[(blocks, parts)](
        *(planes[0], planes[1], valid, is_narrow, *shape),
        *(part_sums[0], part_aa, part_bb, sums_ab, sums_aa),
        EXPONENTIALS=exponentials,
        PHI_S=request.phi_student,
        PHI_T=request.phi_teacher,
        NORMS=request.norms,
        MASKED=masked,
        HALF=half,
        BLOCK_I=block_i,
        BLOCK_N=_BLOCK_N,
        num_warps=1,
    )
    kernels.finish[(blocks, -(-columns // _BLOCK_C))](
        *(planes[0], is_narrow, broken, *shape, parts, part_sums[0], part_aa, part_bb),
        *(sums_ab, sums_aa, row_sums[0], row_aa, row_bb, grads[0], grads[-1]),
        EXPONENTIALS=exponentials,
        NORMS=request.norms,
        BLOCK_N=_BLOCK_N,
        BLOCK_C=_BLOCK_C,
    )
    return results


def _norms(sums: Tensor, otherwise: Tensor | None = None) -> tuple[Tensor | None, Tensor | None]:
    """Return the two sums of squares after the first sum, if there are any."""
    return (sums[1], sums[2]) if len(sums) == 3 else (otherwise, otherwise)


BACKEND = Backend(pair_sums, refusal)
