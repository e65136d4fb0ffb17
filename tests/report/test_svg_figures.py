import base64
import re

from mmdet_kdrank.report.svg_figures import Panel, plots

LINE = ([1, 2, 3], [0.5, 0.25, 0.125])


def drawings(text):
    codes = re.findall(r'data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)', text)
    return [base64.b64decode(code).decode() for code in codes]


def test_a_panel_is_drawn_for_light_and_for_dark_screens():
    light, dark = drawings(plots('Both', [Panel('loss', {'run': {'loss_kd': LINE}})]))
    for drawing in (light, dark):
        assert 'loss_kd' in drawing
        assert 'iteration' in drawing
    assert light != dark


def test_lines_are_the_values_and_the_second_runs_are_dashed(saved):
    other = ([1, 3], [0.5, 0.75])
    plots('Both', [Panel('loss', {'a': {'kd': LINE, 'none': ([], [])}, 'b': {'kd': other}})])
    for drawing in saved:
        lines = {line.get_label(): line for line in drawing.axes[0].get_lines()}
        shown = {n: (list(x.get_xdata()), list(x.get_ydata())) for n, x in lines.items()}
        assert shown == {'a, kd': LINE, 'b, kd': other}
        assert [line.get_linestyle() for line in lines.values()] == ['-', '--']
    assert len(saved) == 2


def test_the_alternative_text_has_the_ends_of_each_line():
    text = plots('Both', [Panel('loss', {'a': {'kd': LINE}, 'b': {'kd': LINE}})])
    assert 'loss: a kd from 0.5 to 0.125; b kd from 0.5 to 0.125.' in text


def test_panels_without_a_line_are_left_out():
    empty = Panel('nothing', {'run': {'kd': ([], [])}})
    assert not empty
    assert plots('None', [empty]) == ''
    assert 'nothing' not in plots('One', [empty, Panel('loss', {'run': {'kd': LINE}})])


def test_drawing_again_gives_the_same_bytes():
    panel = Panel('loss', {'run': {'loss_kd': LINE}})
    assert plots('Both', [panel]) == plots('Both', [panel])
