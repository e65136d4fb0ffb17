"""Random permutations of the classes, which no other random number notices."""

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.logging import MessageHub
from torch import Tensor

from mmdet_kdrank.ops.checks import check_count

ORDERS = 16
"""Permutations a call, dealt out to its rows: the more, the less the errors of rows that are alike
add up. Sixteen take less than a millisecond for 10,000 classes."""


class Shuffles:
    """Draws permutations that depend on the seed, the rank, the iteration and the call in it alone.

    The iteration is that of the running MMEngine training, so that one that was resumed goes on
    with the permutations of one that was not, without anything in its checkpoint. Without a
    training it is the number of the call that tells draws apart.

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

    # Traced, its counters would become constants of the graph.
    @torch.compiler.disable
    def draw(self, columns: int, device: torch.device | str = 'cpu') -> Tensor:
        """Draws the permutations of the next call.

        Args:
            columns: C, the number of classes.
            device: Where they are wanted.

        Returns:
            Shape (:data:`ORDERS`, C), int64.
        """
        iteration = MessageHub.get_current_instance().get_info('iter', 0)
        self._call = self._call + 1 if iteration == self._iteration else 0
        self._iteration = iteration
        # NumPy's, as torch has generators by the device and its global one is the training's.
        generator = np.random.default_rng((self.seed, get_rank(), iteration, self._call))
        orders = np.tile(np.arange(columns), (ORDERS, 1))
        return torch.from_numpy(generator.permuted(orders, axis=1)).to(device)
