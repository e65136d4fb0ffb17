import json

import pytest
from PIL import Image

from mmdet_kdrank.analysis.claims.figures import FIGURES
from tests.analysis.claims.sets import ROOT

CLAIMS = {
    claim['key']: claim
    for claim in json.loads((ROOT / 'docs' / 'data' / 'claims.json').read_text())['claims']
}


@pytest.mark.parametrize('key', FIGURES)
def test_a_claim_is_drawn_from_its_record(key, tmp_path):
    FIGURES[key](CLAIMS[key], tmp_path / 'plot.png')
    drawn = Image.open(tmp_path / 'plot.png').convert('L')
    stored = Image.open(ROOT / 'docs' / 'images' / f'claims_{key}.png')
    # Other versions of matplotlib round to another pixel.
    assert drawn.size == pytest.approx(stored.size, abs=2)
    dark = sum(drawn.histogram()[:200])
    assert dark > 0.01 * drawn.width * drawn.height


def test_only_what_is_zero_has_no_plot():
    assert CLAIMS.keys() - FIGURES.keys() == {'plug_and_play'}
