"""The plots of the claims, each from a claim's record in the JSON file."""

from collections.abc import Callable
from pathlib import Path

from .agreement import draw as draw_agreement
from .counterexamples import draw as draw_counterexamples
from .gradient import draw as draw_gradient
from .optima import draw as draw_optima
from .rebalance import draw as draw_rebalance
from .scale import draw as draw_scale
from .steepness import draw as draw_steepness

FIGURES: dict[str, Callable[[dict, Path], None]] = {
    'gradient': draw_gradient,
    'rebalance': draw_rebalance,
    'scale': draw_scale,
    'agreement': draw_agreement,
    'optima': draw_optima,
    'steepness': draw_steepness,
    'counterexamples': draw_counterexamples,
}
"""By the key of the claim; one without an entry has no plot."""
