"""What an installed package consists of, built from the sdist so that this is complete too."""

import sys

import pytest

from tests.configs.files import CONFIGS
from tests.packages import ROOT, run, unpacked_sdist

TOOLS = {'compare.py', 'make_shapes.py', 'test.py', 'train.py'}
TOOLS |= {path.name for path in ROOT.glob('tools/*.sh')}


@pytest.fixture(scope='module')
def sdist(tmp_path_factory):
    return unpacked_sdist(tmp_path_factory.mktemp('sdist'))


def build(sdist, into):
    """Build all but the extension; the files, relative to what becomes site-packages."""
    run([sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', into], cwd=sdist)
    return {str(path.relative_to(into)) for path in into.rglob('*') if path.is_file()}


def test_carries_the_package_and_what_mim_looks_for(sdist, tmp_path):
    files = build(sdist, tmp_path)
    mim = {file for file in files if file.startswith('mmdet_kdrank/.mim/')}
    configs = {
        f'mmdet_kdrank/.mim/configs/{path.relative_to(CONFIGS)}'
        for pattern in ('*.py', 'metafile.yml')
        for path in CONFIGS.rglob(pattern)
    }
    tools = {f'mmdet_kdrank/.mim/tools/{name}' for name in TOOLS}
    assert mim == configs | tools | {'mmdet_kdrank/.mim/model-index.yml'}
    sources = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob('mmdet_kdrank/**/*')
        if path.is_file() and '__pycache__' not in path.parts and path.suffix != '.so'
    }
    assert files - mim == sources


def test_leaves_nothing_in_the_checkout(sdist, tmp_path):
    build(sdist, tmp_path)
    assert not (sdist / 'mmdet_kdrank' / '.mim').exists()


def test_drops_what_an_earlier_build_left(sdist, tmp_path):
    stale = tmp_path / 'mmdet_kdrank/.mim/configs/gone.py'
    stale.parent.mkdir(parents=True)
    stale.touch()
    build(sdist, tmp_path)
    assert not stale.exists()


def test_requires_neither_family_by_name(sdist):
    text = (sdist / 'mmdet_kdrank.egg-info' / 'requires.txt').read_text()
    always, *extras = text.split('\n\n[')
    packages = {section.split(']')[0]: section for section in extras}
    assert 'mm' not in always and 'numpy' in always and 'scipy' in always
    assert 'mmdet<3.4.0,>=3.1.0' in packages['openmmlab']
    assert 'onedl' not in packages['openmmlab']
    assert 'onedl-mmdetection<3.6,>=3.5' in packages['onedl']
    assert 'setuptools' not in packages['onedl'] and '\nmm' not in packages['onedl']
