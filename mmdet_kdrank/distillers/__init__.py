"""Detectors that train a student beside a frozen teacher."""
