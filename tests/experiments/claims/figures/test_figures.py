import json

import pytest
from PIL import Image

from experiments.claims.figures import FIGURES
from tests.experiments.claims.sets import ROOT

CLAIMS = {
    claim['key']: claim
    for claim in json.loads((ROOT / 'docs/reports/data/claims.json').read_text())['claims']
}
DATA = {key: claim['data'] for key, claim in CLAIMS.items()}


@pytest.fixture
def drawn(saved, tmp_path):
    """Draws a claim and gives the panels, row by row."""

    def draw(key):
        FIGURES[key](CLAIMS[key], tmp_path / 'plot.png')
        return saved[-1].axes

    return draw


def curves(panel):
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in panel.get_lines()
    }


def along(rows, x, y):
    return [row[x] for row in rows], [row[y] for row in rows]


def traces(measured, quantity):
    return {
        name: ([step + 1 for step in trace['steps']], trace[quantity])
        for name, trace in measured.items()
    }


@pytest.mark.parametrize('key', FIGURES)
def test_the_stored_picture_is_of_this_size(key, drawn, tmp_path):
    drawn(key)
    stored = Image.open(ROOT / 'docs' / 'reports' / 'images' / f'claims_{key}.png')
    # Other versions of matplotlib round to another pixel.
    assert Image.open(tmp_path / 'plot.png').size == pytest.approx(stored.size, abs=2)


@pytest.mark.parametrize(('key', 'part'), [('agreement', 'traces'), ('optima', 'terms')])
def test_descents_are_drawn_by_tau_and_by_divergence(key, part, drawn):
    panels = drawn(key)
    expected = [
        traces(measured[part], quantity)
        for quantity in ('tau', 'divergence')
        for measured in DATA[key].values()
    ]
    assert [curves(panel) for panel in panels] == expected


def test_gradients_are_drawn_by_decade_and_their_parts_as_bars(drawn):
    sets = [measured['terms'] for name, measured in DATA['gradient'].items() if 'near' not in name]
    panels = drawn('gradient')
    for terms, upper, lower in zip(sets, panels[:3], panels[3:], strict=True):
        assert curves(upper).keys() == terms.keys()
        for term, (x, y) in curves(upper).items():
            assert y == terms[term]['decades']
            assert x == pytest.approx([0.316228 * 10.0**-decade for decade in range(8)])
        assert [bar.get_width() for bar in lower.patches] == [t['share'] for t in terms.values()]
        assert [label.get_text() for label in lower.get_yticklabels()] == list(terms)


def test_parts_are_drawn_by_weight_and_what_is_learnt_as_bars(drawn):
    panels = drawn('rebalance')
    for measured, upper, lower in zip(
        DATA['rebalance'].values(), panels[:3], panels[3:], strict=True
    ):
        by_weight, alone, _ = curves(upper).values()
        assert [list(point) for point in zip(*by_weight, strict=True)] == measured[
            'share by weight'
        ]
        assert alone[1] == [measured['share alone']] * 2
        learnt = measured['tau of unlikely classes']
        assert [bar.get_height() for bar in lower.patches] == list(learnt.values())
        assert [label.get_text() for label in lower.get_xticklabels()] == list(learnt)


def test_scales_are_drawn_by_side(drawn):
    foreground = DATA['scale']['foreground']
    assert [curves(panel) for panel in drawn('scale')] == [
        {term: along(rows, 'factor', quantity) for term, rows in foreground[side].items()}
        for side in ('student', 'teacher')
        for quantity in ('cosine', 'length')
    ]


def test_steepness_is_drawn_by_quantity(drawn):
    quantities = ('tau of the teacher with itself', 'gradient at s = t')
    quantities += ('cosine with KL', 'tau learnt')
    assert [curves(panel) for panel in drawn('steepness')] == [
        {name: along(rows, 'steepness', quantity) for name, rows in DATA['steepness'].items()}
        for quantity in quantities
    ]


def test_counterexamples_are_drawn_by_gap(drawn):
    gaps, sweeps = DATA['counterexamples']['gaps'], DATA['counterexamples']['sweeps']
    assert [curves(panel) for panel in drawn('counterexamples')] == [
        {term: (gaps, values) for term, values in sweeps[case].items()}
        for case in ('isolated', 'misordered')
    ]


def test_only_what_is_zero_has_no_plot():
    assert CLAIMS.keys() - FIGURES.keys() == {'plug_and_play'}
