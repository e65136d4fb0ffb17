import subprocess

import pytest

from mmdet_kdrank.runs import revision


def git(folder, *arguments):
    settings = ('-c', 'user.name=a', '-c', 'user.email=a@b')
    command = ['git', '-C', str(folder), *settings, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in ('mmdet_kdrank/op.py', 'docs/page.md', 'lib/other.py'):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text('before')
    git(tmp_path, 'init', '-q')
    git(tmp_path, 'add', '.')
    git(tmp_path, 'commit', '-q', '-m', 'first')
    monkeypatch.setattr(revision, '_ROOT', tmp_path.resolve())
    return tmp_path


def test_commit_is_the_checkouts(checkout):
    assert revision.commit() == git(checkout, 'rev-parse', 'HEAD')


def test_sources_make_it_dirty_and_pages_do_not(checkout):
    (checkout / 'docs' / 'page.md').write_text('after')
    (checkout / 'mmdet_kdrank' / 'scratch.py').write_text('not tracked')
    assert revision.commit() == git(checkout, 'rev-parse', 'HEAD')
    (checkout / 'mmdet_kdrank' / 'op.py').write_text('after')
    assert revision.commit() == git(checkout, 'rev-parse', 'HEAD') + '-dirty'


def test_a_package_inside_another_checkout_has_none(checkout, monkeypatch):
    monkeypatch.setattr(revision, '_ROOT', (checkout / 'lib').resolve())
    assert revision.commit() is None
