#!/usr/bin/env python
"""Write ``docs/reports/dependency_licenses.md`` from the metadata of the installed packages.

Call it with the environments of all stacks when a pin changes:
``tools/dependency_licenses.py .venv .venv-openmmlab .venv-classic``. It downloads nothing, and the
environments need not be active.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path('docs/reports/dependency_licenses.md')
OWN = 'mmdet-kdrank'
NOT_STATED = 'not stated'

HEADER = """# Licences of the dependencies

**What was asked.** Under which licences are the packages that `make setup` installs? This package
itself is under Apache-2.0 and contains none of them.

**What came out.**

- The pinned packages are under Apache-2.0, BSD, MIT or the PSF licence. The exception is hypothesis
  (MPL-2.0), which only the tests need.
- torch from the package index is the CUDA build and brings NVIDIA's libraries, which are
  proprietary. They may be used and, within their terms, passed on. Read those before you publish a
  container image.
- certifi and tqdm are under MPL-2.0: free to use; changes to their own files would have to be
  published.
- cuda-toolkit, an empty package that names others, states none. onedl-mmengine names none in its
  metadata; its wheel contains the text of Apache-2.0.
- Wheels carry libraries under licences of their own, named in their `LICENSE*` files. OpenCV's
  carry FFmpeg and, except for the headless wheel, Qt 5, and shapely's GEOS (all LGPL 2.1). NumPy's
  and SciPy's carry GCC's Fortran runtime (GPL 3 with the runtime exception).

**What it does not say.** The table has each licence in its package's own words; texts were not
compared. It does not list what the wheels carry inside.

Written by `tools/dependency_licenses.py {folders}` from the metadata that the packages carry.
**Bold** are the pinned ones of `requirements/`; the others come with them, in the version that pip
found.

"""


def normalized(name: str) -> str:
    """Return a package's name as PEP 503 compares it.

    Example:
        >>> normalized('Typing_Extensions')
        'typing-extensions'
    """
    return re.sub(r'[-_.]+', '-', name).lower()


def pinned(root: Path) -> set[str]:
    """Return the normalized names of all packages that a checkout's ``requirements/`` pin."""
    files = root.glob('requirements/*.txt')
    pins = (re.findall(r'^([\w.-]+)==', file.read_text(), flags=re.MULTILINE) for file in files)
    return {normalized(name) for names in pins for name in names}


def license_of(package: Distribution) -> str:
    """Return the licence that a package states.

    Args:
        package: Its metadata.

    Returns:
        The first that exists: the SPDX expression (PEP 639), a licence field of one line, the
        classifiers, or :data:`NOT_STATED`.
    """
    metadata = package.metadata
    if expression := metadata.get('License-Expression'):
        return expression
    field = metadata.get('License', '').strip()
    if field and '\n' not in field and field != 'UNKNOWN':
        return field
    classifiers = metadata.get_all('Classifier') or []
    licenses = [line.split(' :: ')[-1] for line in classifiers if line.startswith('License ::')]
    return ', '.join(licenses) or NOT_STATED


def installed(environment: Path) -> dict[str, Distribution]:
    """Return the packages in a virtual environment, by their normalized names.

    Raises:
        FileNotFoundError: If the folder is no virtual environment.
    """
    folders = [str(folder) for folder in environment.glob('lib/python3*/site-packages')]
    if not folders:
        raise FileNotFoundError(
            f'{environment} holds no lib/python3.*/site-packages. Name virtual environments, such '
            'as .venv after `make setup` and .venv-classic after `make setup STACK=classic`.'
        )
    packages = {normalized(package.name): package for package in distributions(path=folders)}
    packages.pop(OWN, None)
    return packages


def page(root: Path, environments: Iterable[Path]) -> str:
    """Make the page.

    Args:
        root: The checkout whose pins are marked.
        environments: Virtual environments; each gets a column.

    Returns:
        Markdown.
    """
    environments = list(environments)
    folders = [environment.name for environment in environments]
    return HEADER.format(folders=' '.join(folders)) + ''.join(
        f'| {" | ".join(row)} |\n'
        for row in _rows(pinned(root), folders, [installed(e) for e in environments])
    )


def _rows(
    pins: set[str], folders: list[str], columns: list[dict[str, Distribution]]
) -> Iterator[list[str]]:
    yield ['package', *(f'`{folder}`' for folder in folders), 'licence']
    yield ['---'] * (len(folders) + 2)
    for name in sorted(set().union(*columns)):
        packages = [column.get(name) for column in columns]
        # Versions of a package may state the licence differently.
        licenses = dict.fromkeys(license_of(package) for package in packages if package)
        yield [
            f'**{name}**' if name in pins else name,
            *(package.version if package else '' for package in packages),
            '; '.join(licenses),
        ]


def main() -> int:
    """Write the page and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('environments', nargs='+', type=Path, help='virtual environments')
    text = page(ROOT, parser.parse_args().environments)
    (ROOT / PAGE).write_text(text, encoding='utf-8')
    print(f'{PAGE} was written')
    return 0


if __name__ == '__main__':
    sys.exit(main())
