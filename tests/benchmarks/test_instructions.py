"""The count of machine instructions, of a made-up loop and of the real kernel."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('triton', minversion='3.4')

ROOT = Path(__file__).resolve().parents[2]
ASSEMBLY = """
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_1:
        /*0010*/                   LDG.E R2, [R4.64] ;
        /*0020*/              @!P0 FADD R3, R2, R3 ;
        /*0030*/                   MUFU.RCP R5, R3 ;
        /*0040*/               @P0 BRA `(.L_x_1) ;
        /*0050*/                   BRA `(.L_x_2) ;
.L_x_2:
        /*0060*/                   EXIT ;
"""


def test_loops_are_counted_by_instruction():
    # Imported in a process of its own: the module switches Triton's interpreter off.
    code = (
        f'from benchmarks.instructions import loops; print([dict(x) for x in loops({ASSEMBLY!r})])'
    )
    output = run('-c', code)
    assert output.splitlines()[-1] == "[{'LDG': 1, 'FADD': 1, 'MUFU': 1, 'BRA': 1}]"


def test_the_kernel_takes_few_more_than_its_arithmetic(tmp_path):
    run('benchmarks/instructions.py', '--quick', '--out', str(tmp_path))
    (row,) = csv.DictReader((tmp_path / 'instructions_cpu.csv').open())
    assert row['stack_bytes'] == '0'
    # 11 of the formula and one reciprocal; loads, addresses and the loop come on top.
    assert 12 <= float(row['arithmetic_a_visit']) <= float(row['instructions_a_visit']) <= 16


def run(*arguments):
    command = [sys.executable, '-W', 'ignore', *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
