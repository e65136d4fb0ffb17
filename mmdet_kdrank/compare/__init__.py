"""Paired experiments: the same seeds for every variant, and what their differences are worth."""
