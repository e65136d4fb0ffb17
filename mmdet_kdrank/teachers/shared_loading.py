"""Loading the same teacher on every rank."""

from __future__ import annotations

import hashlib
import os

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size

from mmdet_kdrank.distributed import on_all_ranks
from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.teachers.teacher import Teacher, TeacherSource


def load_on_all_ranks(source: TeacherSource) -> Teacher:
    """Load the teacher on every rank, or on none.

    On each machine one process goes first, so that a URL is fetched once there. With one rank it is
    ``source.load()``.

    Args:
        source: Where the teacher comes from.

    Returns:
        This rank's own copy.

    Raises:
        Exception: What ``source.load()`` raises on this rank.
        OtherRankError: If another rank could not load it.
        ValueError: If the ranks have loaded different teachers.
    """
    if get_world_size() == 1:
        return source.load()
    goes_first = int(os.environ.get('LOCAL_RANK', get_rank())) == 0
    early = on_all_ranks(lambda: source.load() if goes_first else None)
    teacher = on_all_ranks(lambda: early or source.load())
    identities = all_gather_object((_digest(teacher), teacher.classes))
    for rank, identity in enumerate(identities):
        if identity != identities[0]:
            what = 'weights' if identity[0] != identities[0][0] else 'class names'
            raise ArgumentError(
                f'The teacher that rank {rank} of {len(identities)} loaded from '
                f'{source.checkpoint} has other {what} than that of rank 0. Give every machine '
                'the same file.'
            )
    return teacher


def _digest(teacher: Teacher) -> str:
    digest = hashlib.sha256()
    for name, tensor in teacher.model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
