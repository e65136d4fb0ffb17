#!/usr/bin/env python
"""Try the distilling version of every detector config that MMDetection ships."""

import sys
from pathlib import Path

from mmdet_kdrank.analysis.survey.command import main

if __name__ == '__main__':
    sys.exit(main(Path(__file__).resolve().parents[1]))
