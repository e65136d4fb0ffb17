"""The script of continuous integration, with a stand-in for make."""

import os
import re
import subprocess

import pytest

from tests.packages import ROOT

# Notes its arguments, prints what pytest would, and fails where it is told to.
MAKE = """#!/bin/sh
echo "$*" >> "$CALLS"
case $1 in test*) echo '===== 3 passed, 1 skipped in 9.00s =====' ;; esac
case " $FAILING " in *" $1 "*) exit 2 ;; esac
"""
PARTS = ['setup', 'lint', 'docs', 'test', 'test-slow']
PARTS += [f'test-quick STACK={stack}' for stack in ('openmmlab', 'classic')]


@pytest.fixture
def run(tmp_path):
    """Runs the script; its exit status, the calls of make, and the last line of each part."""
    make, calls = tmp_path / 'make', tmp_path / 'calls'
    make.write_text(MAKE)
    make.chmod(0o755)

    def run(failing=''):
        path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
        done = subprocess.run(
            ['bash', ROOT / '.ci/run'],
            env={**os.environ, 'PATH': path, 'CALLS': str(calls), 'FAILING': failing},
            capture_output=True,
            text=True,
        )
        return (
            done.returncode,
            calls.read_text().splitlines(),
            done.stdout.splitlines()[1 - len(PARTS) :],
        )

    return run


def test_all_parts_run_and_are_summed_up(run):
    status, calls, summary = run()
    assert (status, calls) == (0, PARTS)
    assert summary[:2] == [f'{name}: passed after 0 min' for name in ('lint', 'documentation')]
    assert all(
        re.fullmatch(r'.*: passed after 0 min =+ 3 passed, 1 skipped in 9\.00s =+', line)
        for line in summary[2:]
    )


@pytest.mark.parametrize('index', range(1, len(PARTS)))
def test_a_failing_part_fails_the_script_and_stops_none(run, index):
    failing = PARTS[index].split()[0]
    status, calls, summary = run(failing)
    assert (status, calls) == (1, PARTS)
    assert ['FAILED' in line for line in summary] == [
        part.split()[0] == failing for part in PARTS[1:]
    ]


def test_without_an_environment_there_is_nothing_to_run(run):
    status, calls, _ = run('setup')
    assert (status, calls) == (1, ['setup'])
