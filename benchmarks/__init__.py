"""Benchmarks: one script a question, results as CSV with hardware and versions."""
