"""Random permutations of the classes that leave all other random numbers unchanged."""

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.logging import MessageHub
from torch import Tensor

from mmdet_kdrank.ops.checks import check_count

ORDERS = 16
"""Permutations per call, distributed over its rows. With more of them, the errors of similar rows
add up less. Sixteen take less than a millisecond for 10,000 classes."""


class Shuffles:
    """Draws permutations that depend on seed, rank, iteration and call within the iteration alone.

    The iteration is that of the running MMEngine training. So a resumed training draws the same
    permutations as an uninterrupted one, without an entry in its checkpoint. Without a training,
    the number of the call distinguishes the draws.

    Ranks draw different permutations: their gradients are averaged, and so are the errors.

    Args:
        seed: At least 0.

    Raises:
        ValueError: If the seed is negative or no whole number.

    Example:
        >>> shuffles = Shuffles(seed=0)
        >>> first, second = shuffles.draw(81), shuffles.draw(81)
        >>> first.shape, torch.equal(first, second)
        (torch.Size([16, 81]), False)
        >>> torch.equal(first, Shuffles(seed=0).draw(81))
        True
    """

    def __init__(self, seed: int) -> None:
        check_count('seed', seed, least=0)
        self.seed = seed
        self._iteration = -1
        self._call = 0

    # Tracing would turn its counters into constants of the graph.
    @torch.compiler.disable
    def draw(self, columns: int, device: torch.device | str = 'cpu') -> Tensor:
        """Draw the permutations of the next call.

        Args:
            columns: C, the number of classes.
            device: Device of the result.

        Returns:
            Shape (:data:`ORDERS`, C), int64.
        """
        iteration = MessageHub.get_current_instance().get_info('iter', 0)
        self._call = self._call + 1 if iteration == self._iteration else 0
        self._iteration = iteration
        # NumPy's generator: torch's differ between devices, and its global one is the training's.
        generator = np.random.default_rng((self.seed, get_rank(), iteration, self._call))
        orders = np.tile(np.arange(columns), (ORDERS, 1))
        return torch.from_numpy(generator.permuted(orders, axis=1)).to(device)
