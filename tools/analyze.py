#!/usr/bin/env python
"""Look into losses and finished trainings; each subcommand has its own ``--help``."""

import sys
from pathlib import Path

from mmdet_kdrank.analysis.cli import main

if __name__ == '__main__':
    sys.exit(main(Path(__file__).resolve().parents[1]))
