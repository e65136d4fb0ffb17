"""Going on in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from mmdet_kdrank.random_states import kept_random_states


class RestOfEpoch:
    """A data loader without its first batches.

    They are loaded and dropped, so that the loader's workers go on where they were with their own
    random numbers; those of this process stay as they are.

    Args:
        loader: The data loader.
        skipped: How many batches to leave out.
    """

    def __init__(self, loader: DataLoader, skipped: int) -> None:
        self.loader = loader
        self.skipped = skipped

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        with kept_random_states():
            batches = iter(self.loader)
            for _ in range(self.skipped):
                next(batches)
        yield from batches
