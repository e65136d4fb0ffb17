from mmdet_kdrank.environment import installed
from mmdet_kdrank.environment.bounds import PACKAGES
from mmdet_kdrank.environment.facts import probe_errors


def test_installed_reads_this_environment():
    facts = installed()
    assert set(facts.versions) >= {bound.package for bound in PACKAGES}
    assert facts.errors == {}


def test_probe_that_ends_the_process_is_a_fault_and_the_rest_still_runs():
    errors = probe_errors(
        {
            'sound': 'import json',
            'noisy': 'print("begun"); import sys; sys.stderr.write("told\\n")',
            'missing': 'import no_such_module',
            'crash': 'import os; os.abort()',
            'after': 'assert False, "reached"',
        }
    )
    assert set(errors) == {'missing', 'crash', 'after'}
    assert "No module named 'no_such_module'" in errors['missing']
    assert errors['crash'].endswith('ended with status -6')
    assert 'reached' in errors['after']


def test_numpy_told_on_stderr_is_a_fault():
    errors = probe_errors({'torch': 'import sys; sys.stderr.write("compiled using NumPy 1.x")'})
    assert list(errors) == ['numpy bridge']
