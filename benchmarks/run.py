#!/usr/bin/env python
"""All benchmarks of one device, then their plots: what `make bench` calls."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import bound, evaluation, op, scaling, step
from benchmarks.script import Script, main

SCRIPTS: tuple[Script, ...] = (
    bound.SCRIPT,
    op.SCRIPT,
    evaluation.SCRIPT,
    scaling.SCRIPT,
    step.SCRIPT,
)

if __name__ == '__main__':
    sys.exit(main(SCRIPTS))
