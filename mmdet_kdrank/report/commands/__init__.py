"""The subcommands of ``tools/analyze.py``, one a file."""
