"""The path from a config to the gradient stays as short as it was counted."""

import pytest

from benchmarks.step_path import CONFIGS, step_path

# Files and hops, as counted when this test was written; lower them when the path gets shorter.
MOST = {'Faster R-CNN': (34, 56), 'RetinaNet': (36, 66)}
MOST_LINES = 2600
"""What a reader of the functions that run has to read, at most."""


@pytest.mark.slow
@pytest.mark.parametrize('name', MOST)
def test_the_path_is_no_longer_than_counted(name):
    path = step_path(CONFIGS[name])
    files, hops = MOST[name]
    assert {'distillers/base.py', 'losses/kendall_rank.py', 'ops/kendall.py'} <= path.files
    assert len(path.files) <= files
    assert len(path.hops) <= hops
    assert len(path.run) <= MOST_LINES
