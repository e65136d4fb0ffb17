"""Subcommands of ``tools/analyze.py`` about finished trainings, one a file."""
