import re
import sys
from importlib.metadata import PathDistribution

import pytest

from bootstrap.stacks import STACKS, mmcv_file, requirement_files
from tests.packages import ROOT
from tools import dependency_licenses
from tools.dependency_licenses import PAGE, installed, license_of, page

CLASSIFIER = 'Classifier: License :: OSI Approved :: '


@pytest.fixture
def package(tmp_path):
    """Installs a package that has nothing but metadata into an environment."""

    def install(environment, name, version, *lines):
        site = tmp_path / environment / 'lib/python3.12/site-packages'
        info = site / f'{name}-{version}.dist-info'
        info.mkdir(parents=True)
        head = ['Metadata-Version: 2.4', f'Name: {name}', f'Version: {version}']
        (info / 'METADATA').write_text('\n'.join([*head, *lines]) + '\n')
        return PathDistribution(info)

    return install


@pytest.mark.parametrize(
    ('lines', 'expected'),
    [
        (['License-Expression: MIT OR Apache-2.0', 'License: other'], 'MIT OR Apache-2.0'),
        (['License: BSD-3-Clause', f'{CLASSIFIER}BSD License'], 'BSD-3-Clause'),
        (['License: UNKNOWN', f'{CLASSIFIER}MIT License'], 'MIT License'),
        (['License: Copyright', '        all rights', f'{CLASSIFIER}BSD License'], 'BSD License'),
        ([f'{CLASSIFIER}MIT License', f'{CLASSIFIER}BSD License'], 'MIT License, BSD License'),
        (['Classifier: Programming Language :: Python'], 'not stated'),
        ([], 'not stated'),
    ],
)
def test_the_most_exact_statement_counts(package, lines, expected):
    assert license_of(package('env', 'thing', '1', *lines)) == expected


def test_page_has_a_column_an_environment_and_marks_the_pins(package, tmp_path):
    package('.venv', 'Typing_Extensions', '2.0', 'License: PSF-2.0')
    package('.venv', 'torch', '2.11', 'License-Expression: BSD-3-Clause')
    package('.venv', 'mmdet_kdrank', '0.1', 'License: Apache-2.0')
    package('.venv-classic', 'torch', '2.1', 'License: BSD-3')
    (tmp_path / 'requirements').mkdir()
    (tmp_path / 'requirements/some.txt').write_text('# torch\ntorch==2.11\n')
    text = page(tmp_path, [tmp_path / '.venv', tmp_path / '.venv-classic'])
    assert text.splitlines()[-4:] == [
        '| package | `.venv` | `.venv-classic` | licence |',
        '| --- | --- | --- | --- |',
        '| **torch** | 2.11 | 2.1 | BSD-3-Clause; BSD-3 |',
        '| typing-extensions | 2.0 |  | PSF-2.0 |',
    ]


def test_a_folder_that_is_no_environment_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='holds no lib.*make setup'):
        installed(tmp_path)


def test_written_page_is_of_todays_pins():
    cells = len(STACKS) * r' \| ([^|]*)'
    rows = re.findall(rf'^\| \*\*(.+)\*\*{cells} \|', (ROOT / PAGE).read_text(), re.M)
    pinned = set()
    for column, stack in enumerate(STACKS, 1):
        files = [*requirement_files(ROOT, stack), mmcv_file(ROOT, stack)]
        pins = [pin for file in files for pin in re.findall(r'^[^#;\s]+', file.read_text(), re.M)]
        names = {pin.partition('==')[0] for pin in pins}
        written = {f'{row[0]}=={row[column]}' for row in rows if row[0] in names}
        assert written <= set(pins), 'call tools/dependency_licenses.py'
        pinned |= names
    assert {row[0] for row in rows} == pinned


def test_command_writes_the_page(package, tmp_path, monkeypatch):
    package('.venv', 'torch', '2.11', 'License: BSD')
    (tmp_path / 'docs' / 'reports').mkdir(parents=True)
    monkeypatch.setattr(dependency_licenses, 'ROOT', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['dependency_licenses.py', str(tmp_path / '.venv')])
    assert dependency_licenses.main() == 0
    assert (tmp_path / PAGE).read_text() == page(tmp_path, [tmp_path / '.venv'])
