"""The path from a config to the gradient stays as short as it was counted."""

import pytest

from benchmarks.step_path import CONFIGS, step_path

# What was counted when this test was written, lines rounded up to the next 50. Lower it when the
# path gets shorter.
MOST = {'Faster R-CNN': (34, 4860, 56), 'RetinaNet': (36, 5210, 66)}


@pytest.mark.slow
@pytest.mark.parametrize('name', MOST)
def test_the_path_is_no_longer_than_counted(name):
    path = step_path(CONFIGS[name])
    files, lines, hops = MOST[name]
    assert {'distillers/base.py', 'losses/kendall_rank.py', 'ops/kendall.py'} <= path.files
    assert len(path.files) <= files
    assert path.lines <= lines
    assert len(path.hops) <= hops
