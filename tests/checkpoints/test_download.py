"""Against servers on the loopback address that break off, redirect and lie."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmdet_kdrank.checkpoints import download
from mmdet_kdrank.checkpoints.download import fetch, name_hash
from mmdet_kdrank.checkpoints.loading import load_checkpoint
from mmdet_kdrank.distributed import OtherRankError
from mmdet_kdrank.errors import CheckpointError
from mmdet_kdrank.teachers.teacher import Teacher, load_on_all_ranks
from tests.distributed.ranks import run_ranks


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY', 'LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / 'torch' / 'hub' / 'checkpoints'


@pytest.fixture(scope='module')
def content(tmp_path_factory):
    file = tmp_path_factory.mktemp('content') / 'x.pth'
    torch.save(dict(state_dict=dict(weight=torch.arange(50.0))), file)
    return file.read_bytes()


@pytest.fixture
def server(content):
    """Serves ``content`` under any name, worse under the first part of the path; counts calls."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.calls.append(self.path)
            way = self.path.split('/')[1]
            if way == 'gone':
                self.send_error(404)
                return
            if way == 'moved':
                self.send_response(302)
                self.send_header('Location', '/page/login')
                self.end_headers()
                return
            body = b'<!DOCTYPE html><title>Sign in</title>' if way == 'page' else content
            self.send_response(200)
            if way != 'unannounced':
                self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if way in ('broken', 'stalled') else body)
            if way == 'stalled':
                self.server.released.wait(10)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.calls, server.released = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01))
    thread.start()
    server.url = f'http://127.0.0.1:{server.server_port}'
    yield server
    server.released.set()
    server.shutdown()
    thread.join(5)
    server.server_close()


def files(hub):
    return sorted(path.name for path in hub.rglob('*') if path.is_file())


def hashed(content):
    return f'teacher-{hashlib.sha256(content).hexdigest()[:8]}.pth'


def test_fetched_once(server, hub, content):
    for _ in range(2):
        checkpoint = load_checkpoint(f'{server.url}/ok/{hashed(content)}?download=1')
        assert checkpoint['state_dict']['weight'].sum() == 1225
    assert server.calls == [f'/ok/{hashed(content)}?download=1']
    assert files(hub) == [hashed(content)]


def test_a_server_that_announces_no_length(server, hub):
    assert fetch(f'{server.url}/unannounced/teacher.pth').is_file()
    assert files(hub) == ['teacher.pth']


@pytest.mark.parametrize(
    ('path', 'fault'),
    [
        ('broken/teacher.pth', 'broke off after .* of .* bytes'),
        ('ok/teacher-0123abcd.pth', 'not the 0123abcd that its name announces'),
        ('moved/teacher.pth', 'is an HTML or XML page: the download was redirected'),
        ('gone/teacher.pth', r'cannot be downloaded \(HTTP Error 404.*teacher.pth elsewhere'),
    ],
)
def test_nothing_bad_stays_in_the_cache(server, hub, path, fault):
    with pytest.raises(CheckpointError, match=fault) as caught:
        load_checkpoint(f'{server.url}/{path}')
    assert '\n' not in str(caught.value)
    assert files(hub) == []


def test_a_broken_download_can_be_repeated(server, hub):
    with pytest.raises(CheckpointError, match='broke off'):
        fetch(f'{server.url}/broken/teacher.pth')
    assert fetch(f'{server.url}/ok/teacher.pth').is_file()


def test_offline_names_the_file_and_its_folder(server, hub):
    server.shutdown()
    server.server_close()
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(f'{server.url}/ok/teacher.pth')
    message = str(caught.value)
    assert 'cannot be downloaded' in message and 'Connection refused' in message
    assert f'put it into {hub}{os.sep}' in message and 'fetch teacher.pth elsewhere' in message


def test_a_file_put_there_by_hand_is_used(hub, content):
    hub.mkdir(parents=True)
    (hub / hashed(content)).write_bytes(content)
    url = f'https://example.invalid/{hashed(content)}'
    assert load_checkpoint(url)['state_dict'].keys() == {'weight'}


def test_a_file_that_is_there_is_held_to_its_hash(hub, content):
    hub.mkdir(parents=True)
    (hub / hashed(content)).write_bytes(content + b'!')
    with pytest.raises(CheckpointError, match='an earlier download.*Delete it'):
        fetch(f'https://example.invalid/{hashed(content)}')


def test_a_server_that_stalls(server, hub, monkeypatch):
    monkeypatch.setattr(download, 'TIMEOUT', 0.3)
    with pytest.raises(CheckpointError, match='cannot be downloaded .*timed out'):
        fetch(f'{server.url}/stalled/teacher.pth')
    assert files(hub) == []


def test_processes_that_fetch_at_once_do_not_disturb_each_other(server, hub, content):
    with ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(fetch, [f'{server.url}/ok/{hashed(content)}'] * 4))
    assert set(fetched) == {hub / hashed(content)}
    assert files(hub) == [hashed(content)]
    assert fetched[0].read_bytes() == content


@pytest.mark.parametrize(
    'path', ['', '/', '/a/..', '/%2e%2e', '/a%2F', '/%2E', '/a%00.pth', '/a%0ab.pth', '?x.pth']
)
def test_a_url_without_a_file(hub, path):
    with pytest.raises(CheckpointError, match='names no file'):
        fetch(f'https://example.invalid{path}')


@pytest.mark.parametrize('escape', ['%2F', '%2e%2e%2F%2e%2e%2F', '..%2f', '%2Ftmp%2F'])
def test_no_name_leads_out_of_the_folder(server, hub, escape):
    file = fetch(f'{server.url}/ok/{escape}teacher.pth')
    assert file.name == 'teacher.pth' and file.parent.parent == hub


def test_files_of_one_name_lie_apart(hub, server, monkeypatch):
    logged = []
    monkeypatch.setattr(download, 'print_log', lambda line, **_: logged.append(line))
    urls = [f'{server.url}/{run}/epoch_12.pth' for run in ('one', 'two', 'two')]
    first, second, third = map(fetch, urls)
    assert first != second == third
    assert {file.name for file in (first, second)} == {'epoch_12.pth'}
    assert server.calls == ['/one/epoch_12.pth', '/two/epoch_12.pth']
    assert logged[-1] == f'Using {second}, an earlier download of {urls[1]}.'


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('retinanet_r50_fpn_1x_coco_20200130-c2398f9e.pth', 'c2398f9e'),
        ('resnet18-5c106cde.pth', '5c106cde'),
        ('rtmdet-12345678.pth', '12345678'),
        ('teacher.pth', None),
        ('run-7.pth', None),
        ('teacher-20200130.pth', None),
        ('faster-deadbeef', None),
    ],
)
def test_hash_in_a_name(name, expected):
    assert name_hash(name) == expected


def fetch_on_rank(rank, url, home):
    """As the teacher is loaded: on every rank, the first of the machine before the others."""
    os.environ.update(LOCAL_RANK=str(rank), TORCH_HOME=home)
    source = SimpleNamespace(
        load=lambda: Teacher(nn.Linear(1, 1), None, str(fetch(url))), checkpoint=url
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return load_on_all_ranks(source).checkpoint


@pytest.mark.slow
def test_two_processes_fetch_once_and_fail_together(server, hub):
    home = str(hub.parents[1])
    first, second = run_ranks(2, fetch_on_rank, f'{server.url}/broken/teacher.pth', home)
    assert isinstance(first, CheckpointError) and isinstance(second, OtherRankError)
    assert 'broke off' in str(first) and str(first) in str(second)
    fetched = run_ranks(2, fetch_on_rank, f'{server.url}/ok/teacher.pth', home)
    assert fetched[0] == fetched[1] and files(hub) == ['teacher.pth']
    assert server.calls == ['/broken/teacher.pth', '/ok/teacher.pth']
