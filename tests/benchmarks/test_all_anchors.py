import os
import subprocess
import sys

import pytest

from benchmarks.harness import read_rows
from benchmarks.script import ROOT


@pytest.mark.slow
def test_quick_from_end_to_end(tmp_path):
    command = [sys.executable, 'benchmarks/all_anchors.py', '--quick', '--out', str(tmp_path)]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = {row['name']: row for row in read_rows(tmp_path / 'all_anchors_cpu.csv')}
    assert list(rows) == ['student', 'kd', 'kd_rank']
    weights = {name: int(row['weights_bytes']) for name, row in rows.items()}
    # The teacher is twice as wide as the student.
    assert 4 * weights['student'] < weights['kd'] == weights['kd_rank']
    for row in rows.values():
        total = int(row['weights_bytes']) + int(row['peak_extra_bytes'])
        assert float(row['of_card']) == pytest.approx(total / 24e9, rel=1e-5)
