"""Backends of the Kendall coefficient: a new one is a file here and its line in ``BACKENDS``."""

from mmdet_kdrank.ops.backends import chunked, reference
from mmdet_kdrank.ops.backends.base import Backend, PairRequest, PairSums

BACKENDS: dict[str, Backend] = {
    'reference': reference.pair_sums,
    'chunked': chunked.pair_sums,
}

# What 'auto' stands for. Bounded memory on every device, so there is nothing to choose from the
# input.
AUTO = 'chunked'

__all__ = ['AUTO', 'BACKENDS', 'Backend', 'PairRequest', 'PairSums']
