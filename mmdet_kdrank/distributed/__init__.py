"""What the ranks of one training have to agree on.

Every function here is a collective: all ranks call it, equally often and in the same order.
"""

from mmdet_kdrank.distributed.faults import (
    OtherRankError,
    on_all_ranks,
    on_any_rank,
    reports_of_all_ranks,
)
from mmdet_kdrank.distributed.normaliser import global_avg_factor

__all__ = [
    'OtherRankError',
    'global_avg_factor',
    'on_all_ranks',
    'on_any_rank',
    'reports_of_all_ranks',
]
