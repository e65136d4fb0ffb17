"""The stacks and the files with their pins."""

import hashlib
import re
from pathlib import Path

STACKS = ('modern', 'openmmlab', 'classic')


def requirement_files(root: Path, stack: str) -> list[Path]:
    """Return the requirement files of a stack, without mmcv's, which is built and not fetched."""
    return [root / 'requirements' / f'{name}.txt' for name in (stack, 'tests', 'lint')]


def mmcv_file(root: Path, stack: str) -> Path:
    """Return the requirement file of the stack's mmcv, whose stem is the package's name."""
    return root / 'requirements' / f'{"onedl-mmcv" if stack == "modern" else "mmcv"}.txt'


def mmcv_requirement(root: Path, stack: str) -> str:
    """Return mmcv's pin as pip takes it, such as `mmcv==2.1.0` or `onedl-mmcv==2.3.6`."""
    file = mmcv_file(root, stack)
    return f'{file.stem}=={pinned(file, file.stem)}'


def pinned(file: Path, package: str) -> str:
    """Return the version that a requirement file pins a package to."""
    match = re.search(rf'^{re.escape(package)}==([^\s;]+)', file.read_text(), flags=re.MULTILINE)
    if match is None:
        raise ValueError(f'{file} pins no {package}')
    return match.group(1)


def fingerprint(root: Path, stack: str, python: str) -> str:
    """Hash everything that the contents of the environment depend on.

    Args:
        root: The checkout; part of the hash because a moved virtual environment does not work.
        stack: The stack's name.
        python: The full version of Python.

    Returns:
        A hexadecimal digest.
    """
    digest = hashlib.sha256(f'{root}\n{stack}\n{python}\n'.encode())
    files = [*requirement_files(root, stack), mmcv_file(root, stack), root / 'setup.py']
    # The package is installed in place, except for its compiled module.
    files += sorted(root.glob('mmdet_kdrank/ops/csrc/*'))
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
