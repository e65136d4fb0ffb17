"""The command kdrank starts what the tools of a checkout start."""

import os
import subprocess
import sys

import pytest

from mmdet_kdrank import cli

COMMANDS = sorted(set(cli.HELP) - {'doctor'})


@pytest.mark.parametrize('command', COMMANDS)
def test_each_command_has_its_own_help(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['kdrank'])
    with pytest.raises(SystemExit) as end:
        cli.main([command, '--help'])
    assert end.value.code in (0, None)
    assert 'usage:' in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(['tune'])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert all(command in error for command in cli.HELP)


def test_the_doctor_runs_where_the_package_cannot(tmp_path):
    """A broken MMDetection stands first on the path."""
    (tmp_path / 'mmdet').mkdir()
    (tmp_path / 'mmdet' / '__init__.py').write_text('raise ImportError("broken")')
    script = tmp_path / 'kdrank'
    script.write_text('import sys; from mmdet_kdrank.cli import main; sys.exit(main())')
    path = [str(tmp_path), *os.environ.get('PYTHONPATH', '').split(os.pathsep)]
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', str(script), 'doctor'],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(path)},
    )
    assert done.returncode == 1, done.stderr
    assert 'broken' in done.stdout


def test_the_tools_are_found_in_a_checkout():
    assert (cli._root() / 'tools' / 'train.py').is_file()
