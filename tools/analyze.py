#!/usr/bin/env python
"""Look into losses and finished trainings; each subcommand has its own ``--help``."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from experiments.claims import command as claims  # noqa: E402
from mmdet_kdrank.report.command import main  # noqa: E402

if __name__ == '__main__':
    sys.exit(main(ROOT, extra=(claims,)))
