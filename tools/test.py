#!/usr/bin/env python
"""Evaluate a detector: MMDetection's own ``tools/test.py`` with mmdet_kdrank imported.

It checks the test set first; ``--skip-data-check`` skips that.
"""

from mmdet_kdrank.launch import run_mmdet_tool

if __name__ == '__main__':
    run_mmdet_tool('test.py')
