"""What is compared: the package's backends, and what a user could pick instead."""

from benchmarks.candidates.calls import CANDIDATES, forward_backward, inputs, refusal

__all__ = ['CANDIDATES', 'forward_backward', 'inputs', 'refusal']
