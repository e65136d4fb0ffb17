import json
import os
import subprocess

import pytest
import torch

from mmdet_kdrank.runs import provenance as provenance_module
from mmdet_kdrank.runs.provenance import commit, cpu_count, provenance


def test_names_machine_versions_and_date():
    found = provenance()
    assert found['versions']['torch'] == torch.__version__
    assert {'mmdet_kdrank', 'mmcv', 'mmdet', 'mmengine', 'numpy'} <= set(found['versions'])
    assert found['hardware'].startswith(f'{cpu_count()} x ')
    assert found['date'].endswith('+00:00')
    json.dumps(found)


def test_count_of_processors_is_that_of_this_process():
    assert 1 <= cpu_count() <= os.cpu_count()


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
    monkeypatch.setattr(provenance_module, '_ROOT', tmp_path.resolve())
    return tmp_path


def test_commit_is_the_checkouts(checkout):
    assert commit() == git(checkout, 'rev-parse', 'HEAD')


def test_sources_make_it_dirty_and_pages_do_not(checkout):
    (checkout / 'docs' / 'page.md').write_text('after')
    (checkout / 'mmdet_kdrank' / 'scratch.py').write_text('not tracked')
    assert commit() == git(checkout, 'rev-parse', 'HEAD')
    (checkout / 'mmdet_kdrank' / 'op.py').write_text('after')
    assert commit() == git(checkout, 'rev-parse', 'HEAD') + '-dirty'


def test_a_package_inside_another_checkout_has_none(checkout, monkeypatch):
    monkeypatch.setattr(provenance_module, '_ROOT', (checkout / 'lib').resolve())
    assert commit() is None
