#!/usr/bin/env python
"""The embedded demo: teacher, student alone, with KD, and with KD + rank."""

import sys
from pathlib import Path

from mmdet_kdrank.demo import main

if __name__ == '__main__':
    sys.exit(main(Path(__file__).resolve().parents[1]))
