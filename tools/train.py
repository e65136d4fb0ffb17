#!/usr/bin/env python
"""Train a detector: MMDetection's own ``tools/train.py`` with mmdet_kdrank imported.

It takes that tool's arguments (``--help``) and three more. ``--tensorboard`` adds MMEngine's
TensorBoard backend to the run's visualiser. ``--skip-data-check`` skips the check of the data at
the beginning. ``--check-all-images`` lets that check load all images, not a sample.
"""

from mmdet_kdrank.launch import run_mmdet_tool

if __name__ == '__main__':
    run_mmdet_tool('train.py')
