#!/usr/bin/env python
"""Train a detector: MMDetection's own ``tools/train.py`` with mmdet_kdrank imported.

Takes that tool's arguments (``--help``); ``--tensorboard``, which adds MMEngine's TensorBoard
backend to the run's visualiser; and ``--skip-data-check``, which leaves out the look through the
annotation files that it begins with.
"""

from mmdet_kdrank.launch import run_mmdet_tool

if __name__ == '__main__':
    run_mmdet_tool('train.py')
