import pytest
from matplotlib.image import imread

from benchmarks.harness import read_rows, write_rows
from benchmarks.plots import _apart, draw_all


@pytest.fixture
def results(tmp_path):
    rows = [
        {
            'axis': axis,
            'n': n,
            'c': c,
            'candidate': candidate,
            'mode': 'eager',
            'median_s': 1e-6 * n * c,
            'peak_extra_bytes': peak,
            'bound_s': 1e-7 * n * c,
        }
        for axis, sizes in (('n', [(10, 5), (100, 5)]), ('c', [(7, 5), (7, 50)]))
        for n, c in sizes
        for candidate, peak in (('reference', 4 * n * c * c), ('chunked', 0))
    ]
    rows.append({'axis': 'n', 'n': 10, 'c': 5, 'candidate': 'triton', 'note': 'not run'})
    write_rows(tmp_path / 'scaling_cpu.csv', rows)
    return tmp_path


def test_both_axes_are_drawn_for_each_device(results, tmp_path):
    paths = draw_all(results, tmp_path / 'images')
    assert [path.name for path in paths] == ['performance_cpu_n.png', 'performance_cpu_c.png']
    for path in paths:
        height, width, _ = imread(path).shape
        assert width > height > 400


def test_labels_at_one_place_are_moved_apart():
    ends = [(1.0, 10.0, 'a', ''), (1.0, 10.5, 'b', ''), (2.0, 10.0, 'c', '')]
    placed = {name: y for _, y, name, _ in _apart(ends, factor=2.0)}
    assert placed == {'a': 10.0, 'b': 20.0, 'c': 10.0}


def test_a_gpu_of_unknown_rates_is_drawn_without_a_bound(results, tmp_path):
    rows = read_rows(results / 'scaling_cpu.csv')
    here = ('axis', 'n', 'c', 'candidate', 'mode', 'median_s', 'peak_extra_bytes')
    bare = [{**{name: row[name] for name in here}, 'bound_s': ''} for row in rows]
    write_rows(results / 'scaling_cpu.csv', bare)
    assert all(path.is_file() for path in draw_all(results, tmp_path / 'images'))
