from benchmarks.harness import write_rows
from benchmarks.report import steps


def test_a_step_stands_beside_those_with_less(tmp_path):
    timing = {'low_s': 0.09, 'high_s': 0.12, 'peak_extra_bytes': 5_000_000}
    step = {**timing, 'kind': 'step', 'name': 'kd_rank', 'of_student': 1.34, 'of_kd': 1.021}
    part = {**timing, 'kind': 'part', 'name': 'rank', 'of_kd': 0.004}
    rows = [{'family': 'retinanet', 'median_s': 0.1, **row} for row in (step, part)]
    write_rows(tmp_path / 'step.csv', rows)
    assert steps.step_table(tmp_path, 'step.csv').splitlines()[2:] == [
        '| retinanet | kd rank | 100 ms | 90 ms to 120 ms | +34 % | +2.1 % | 5 MB |'
    ]
    assert steps.part_table(tmp_path, 'step.csv').splitlines()[2:] == [
        '| retinanet | rank | 100 ms | 90 ms to 120 ms | 0.4 % |'
    ]
