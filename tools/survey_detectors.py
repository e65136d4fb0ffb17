#!/usr/bin/env python
"""Try the distilling version of every detector config that MMDetection ships."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from experiments.survey.command import main  # noqa: E402

if __name__ == '__main__':
    sys.exit(main(ROOT))
