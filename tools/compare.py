#!/usr/bin/env python
"""Train two or more configs with the same seeds, and say what their differences are worth."""

import sys
from pathlib import Path

from mmdet_kdrank.compare.command import main

if __name__ == '__main__':
    sys.exit(main(Path(__file__).resolve().parents[1]))
