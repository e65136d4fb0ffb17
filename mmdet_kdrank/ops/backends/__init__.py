"""Implementations of the pairwise ranking sums, one a file."""
