import copy
import json

import pytest
from PIL import Image

from experiments.pages.evidence import draw
from experiments.pages.page import CLAIMS, final_results, read_results


@pytest.fixture
def drawn(tmp_path):
    def make(several):
        path = tmp_path / 'evidence.png'
        draw(json.loads(CLAIMS.read_text()), several, path)
        with Image.open(path) as image:
            return image.size, image.tobytes()

    return make


def test_it_is_wide_and_shows_each_comparison(drawn):
    several = final_results(read_results())
    (width, height), pixels = drawn(several)
    assert width > 3 * height
    title = next(iter(several))
    assert drawn({title: several[title]})[1] != pixels


def test_it_shows_the_runs(drawn):
    several = final_results(read_results())
    changed = copy.deepcopy(several)
    next(iter(changed.values()))['variants']['kd-rank']['runs']['0']['mAP'] += 0.05
    assert drawn(several)[1] != drawn(changed)[1]
