"""The environment of `make docs`; `python -m bootstrap.docs` ends at once if it is complete."""

import hashlib
import platform
import sys
from pathlib import Path

from bootstrap import pip, stamp
from bootstrap.errors import SetupError
from bootstrap.locks import exclusive
from bootstrap.steps import create_venv

VENV = '.venv-docs'
FILES = ('docs.txt', 'lint.txt')


def set_up_docs(root: Path) -> None:
    """Install the packages that build the site, into an environment without torch and mmcv.

    Args:
        root: The checkout.

    Raises:
        SetupError: A step cannot continue.
    """
    venv = root / VENV
    wanted = stamp.Stamp(fingerprint(root, platform.python_version()), 'docs')
    lock = venv.with_name(f'{VENV}.lock')
    with exclusive(lock, f'another set-up works on {venv}; waiting for it'):
        if stamp.read(venv) == wanted:
            return
        stamp.remove(venv)
        create_venv(venv)
        print('installing the packages that build the documentation', flush=True)
        pip.pip(venv, 'install', '--quiet', f'--requirement={root / "requirements" / FILES[0]}')
        stamp.write(venv, wanted)


def fingerprint(root: Path, python: str) -> str:
    """Hash everything that the environment depends on: its place, its Python and the pins."""
    digest = hashlib.sha256(f'{root}\n{python}\n'.encode())
    for name in FILES:
        digest.update((root / 'requirements' / name).read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Set up the environment and return the exit status."""
    try:
        set_up_docs(Path(__file__).resolve().parent.parent)
    except SetupError as error:
        print(f'set-up stopped: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nset-up interrupted; the same command continues from here', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
