import os
import subprocess
import sys

import pytest

from benchmarks.harness import read_rows
from benchmarks.script import ROOT
from benchmarks.training.settings import FAMILIES
from benchmarks.training.variants import variants_of

PARTS = ['teacher_forward', 'selector', 'kd', 'rank', 'agreement', 'balance']


@pytest.mark.slow
def test_quick_from_end_to_end(tmp_path):
    command = [sys.executable, 'benchmarks/step.py', '--quick', '--out', str(tmp_path)]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = read_rows(tmp_path / 'step_cpu.csv')
    for family in FAMILIES:
        mine = [row for row in rows if row['family'] == family]
        named = [(row['kind'], row['name']) for row in mine]
        assert named == [
            *(('step', name) for name in variants_of(family)),
            *(('part', name) for name in PARTS),
        ]
        assert all(float(row['median_s']) > 0 and int(row['rows']) > 0 for row in mine)
        weighed = {row['name'] for row in mine if row['peak_extra_bytes']}
        assert weighed == {'kd', 'kd_rank'}
        kd = next(row for row in mine if row['name'] == 'kd' and row['kind'] == 'step')
        assert float(kd['of_kd']) == 1
