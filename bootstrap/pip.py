"""Runs the environment's own Python and pip."""

import os
import subprocess
from pathlib import Path

from bootstrap.errors import SetupError


def venv_python(venv: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return venv / 'bin' / 'python'


def environ(**changes: str) -> dict[str, str]:
    """Return this process's variables with changes, without those that add other packages."""
    kept = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME')}
    return {**kept, 'PIP_DISABLE_PIP_VERSION_CHECK': '1', **changes}


def pip(venv: Path, *args: str) -> None:
    """Run pip in the environment.

    Raises:
        SetupError: pip failed; its own output above says why.
    """
    command = [str(venv_python(venv)), '-m', 'pip', *args]
    if subprocess.run(command, env=environ()).returncode:
        raise SetupError(
            f'`pip {" ".join(args)}` failed (its message is above). '
            'If the network failed, the same make command continues from here.'
        )


def evaluate(venv: Path, code: str) -> str:
    """Return the output of a line of Python in the environment.

    Raises:
        SetupError: The code failed.
    """
    command = [str(venv_python(venv)), '-c', code]
    # Run outside the checkout, so that its folders are not imported as packages.
    result = subprocess.run(command, env=environ(), cwd=venv, capture_output=True, text=True)
    if result.returncode:
        raise SetupError(f'`python -c {code!r}` failed in {venv}:\n{result.stderr.strip()}')
    return result.stdout.strip()
