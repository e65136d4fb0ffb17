"""Each script from its command line to its CSV, at sizes that measure nothing."""

import re
import subprocess
import sys

import pytest
import torch

from benchmarks import bound, evaluation, op, scaling
from benchmarks.candidates import CANDIDATES
from benchmarks.harness import read_rows
from benchmarks.script import ROOT, main


@pytest.fixture(autouse=True)
def _no_compiler(monkeypatch):
    """A compiler takes a minute and Triton's interpreter longer; both have tests of their own."""
    for name in ('torch.compile', 'triton'):
        monkeypatch.delitem(CANDIDATES, name)


def rows_of(script, tmp_path):
    assert main([script], ['--quick', '--out', str(tmp_path)]) == 0
    return read_rows(tmp_path / f'{script.name}_cpu.csv')


def test_bound_knows_this_cpu_and_the_h200(tmp_path):
    rows = rows_of(bound.SCRIPT, tmp_path)
    assert {row['machine'] for row in rows} == {'this CPU, calibrated', 'NVIDIA H200, datasheet'}
    assert len(rows) == 20
    assert all(float(row['bound_s']) <= float(row['ordered_s']) for row in rows)


def test_op_compares_all_candidates_on_a_slice_and_the_lean_ones_on_all_rows(tmp_path):
    rows = rows_of(op.SCRIPT, tmp_path)
    for form in ('kendall', 'cosine'):
        here = [row for row in rows if row['form'] == form]
        assert {row['candidate'] for row in here} == set(CANDIDATES)
        assert {row['rows'] for row in here if row['candidate'] == 'reference'} == {'32'}
        assert {row['rows'] for row in here if row['candidate'] == 'chunked'} == {'32', '40'}
        (reference,) = (row for row in here if row['candidate'] == 'reference')
        assert float(reference['speedup']) == 1
        assert 0 < float(reference['bound_share']) < 1
    left_out = {row['candidate']: row['note'] for row in rows if not row['median_s']}
    assert set(left_out) <= {'native', 'torchsort'}
    assert all(note.startswith('not run: ') for note in left_out.values())


def test_scaling_has_every_axis(tmp_path):
    rows = rows_of(scaling.SCRIPT, tmp_path)
    assert {row['axis'] for row in rows} == {'n', 'c', 'scale'}
    assert {'reference', 'chunked', 'plain autograd'} <= {row['candidate'] for row in rows}


def test_evaluation_has_scipy_and_the_op(tmp_path):
    rows = rows_of(evaluation.SCRIPT, tmp_path)
    assert [row['candidate'] for row in rows] == ['scipy', "kendall_tau, 'sign'"]


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is CUDA')
def test_cuda_that_is_not_there_is_one_clear_line(tmp_path, capsys):
    arguments = ['--device', 'cuda', '--out', str(tmp_path)]
    assert main([op.SCRIPT], arguments) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(r"error: device='cuda' was asked for, .* pass --device cpu\.\n", error)
    assert not list(tmp_path.iterdir())


def test_what_make_bench_calls_starts_from_anywhere(tmp_path):
    command = [sys.executable, str(ROOT / 'benchmarks' / 'run.py'), '--help']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'How fast is the op,' in ' '.join(done.stdout.split())
