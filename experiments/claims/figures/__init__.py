"""The plots of the claims, each from a claim's record in the JSON file."""

from collections.abc import Callable
from pathlib import Path

from experiments.claims.figures.agreement import draw as draw_agreement
from experiments.claims.figures.counterexamples import draw as draw_counterexamples
from experiments.claims.figures.gradient import draw as draw_gradient
from experiments.claims.figures.optima import draw as draw_optima
from experiments.claims.figures.rebalance import draw as draw_rebalance
from experiments.claims.figures.scale import draw as draw_scale
from experiments.claims.figures.steepness import draw as draw_steepness

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
