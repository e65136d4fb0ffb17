#!/usr/bin/env python
"""The embedded demo: teacher, student alone, with KD, and with KD + rank."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from experiments.demo.command import main  # noqa: E402

if __name__ == '__main__':
    sys.exit(main(ROOT))
