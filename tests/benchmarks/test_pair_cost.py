import pytest

from benchmarks import pair_cost
from benchmarks.harness import read_rows
from benchmarks.pair_cost import PAIRS
from benchmarks.script import RESULTS, ROOT, main


@pytest.mark.slow
def test_quick_from_end_to_end(tmp_path):
    assert main([pair_cost.SCRIPT], ['--quick', '--out', str(tmp_path)]) == 0
    (row,) = read_rows(tmp_path / 'pair_cost_cpu.csv')
    assert int(row['student_flop']) < int(row['kd_rank_flop'])
    # ResNet's stem and first stage are frozen.
    assert 0 < int(row['trained_parameters']) < int(row['student_parameters'])
    # A RetinaNet with a ResNet-101 has 57 million parameters.
    assert 4 * 56e6 < int(row['teacher_bytes']) < 4 * 58e6


def test_every_pair_has_configs_and_a_row():
    assert [(row['family'], row['pair']) for row in read_rows(RESULTS / 'pair_cost_cpu.csv')] == [
        *PAIRS
    ]
    for family, pair in PAIRS:
        name = f'{family.replace("_rcnn", "-rcnn")}_{pair}_kd-rank_1x_coco.py'
        assert (ROOT / 'configs' / family / name).is_file()
