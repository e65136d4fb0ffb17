"""The GPU's eight minutes, rehearsed on a CPU: every part runs and leaves its results."""

import os
import subprocess
import sys

import pytest

from benchmarks.script import ROOT


@pytest.mark.soak
def test_every_part_runs_and_leaves_its_results(tmp_path):
    # With KDRANK_GPU_WHEELS, the folder of `make gpu-wheels ARCH=`, the packages come from there.
    wheels = os.environ.get('KDRANK_GPU_WHEELS', '')
    environ = {**os.environ, 'DRY': '1', 'PYTHON': sys.executable}
    command = ['bash', 'benchmarks/gpu.sh', str(tmp_path), wheels]
    subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=1500)
    summary = (tmp_path / 'summary.txt').read_text().splitlines()
    parts = ['install'] * bool(wheels) + ['native', 'tests', 'op', 'step', 'host_reads']
    assert [line.split(':')[0] for line in summary] == parts
    assert all('exit status 0' in line for line in summary)
    for table in ('op_cpu.csv', 'step_cpu.csv'):
        assert len((tmp_path / table).read_text().splitlines()) > 5
    assert 'passed' in (tmp_path / 'tests.log').read_text()
