from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import resource
import stat

import pytest
from mmengine.fileio import get_file_backend

from mmdet_kdrank.hooks import AtomicBackend

SIZE = 4_000_000


def write_until_killed(path, told):
    for number in itertools.count():
        AtomicBackend().put(bytes([number % 256]) * SIZE, path)
        told.send(number)


@pytest.fixture
def small_files():
    """A limit of 1,000 bytes a file: the next write fails half-way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_is_found_by_its_name(tmp_path):
    backend = get_file_backend(str(tmp_path), backend_args=dict(backend='atomic'))
    assert type(backend) is AtomicBackend


def test_writes_and_replaces(tmp_path):
    path = tmp_path / 'new' / 'file'
    backend = AtomicBackend()
    backend.put(b'one', path)
    backend.put_text('zwei ü', str(path))
    assert path.read_text('utf-8') == 'zwei ü'
    assert os.listdir(path.parent) == ['file']


@pytest.mark.parametrize('before', [None, b'good'])
def test_a_failed_write_leaves_what_was_there_and_names_the_file(tmp_path, small_files, before):
    path = tmp_path / 'epoch_1.pth'
    if before:
        path.write_bytes(before)
    small_files()
    with pytest.raises(OSError, match=r'epoch_1\.pth, 2,000 bytes, cannot be written') as caught:
        AtomicBackend().put(bytes(2000), path)
    assert caught.value.errno == errno.EFBIG
    assert 'A file that had this name before is untouched' in str(caught.value)
    assert os.listdir(tmp_path) == (['epoch_1.pth'] if before else [])
    assert not before or path.read_bytes() == before


@pytest.mark.parametrize('refusal', ['open', 'fsync'])
def test_a_folder_that_cannot_be_synced_is_told_and_fails_nothing(tmp_path, monkeypatch, refusal):
    """Network file systems may refuse it, and a folder may be written but not read."""
    genuine = getattr(os, refusal)

    def refuse(target, *args, **kwargs):
        # Of a path or of a descriptor.
        if stat.S_ISDIR(os.stat(target).st_mode):
            raise OSError(errno.EINVAL, 'Invalid argument')
        return genuine(target, *args, **kwargs)

    told = []
    monkeypatch.setattr(os, refusal, refuse)
    monkeypatch.setattr(
        'mmdet_kdrank.hooks.resilience.atomic_backend.print_log',
        lambda text, **kwargs: told.append(text),
    )
    AtomicBackend().put(b'new', tmp_path / 'file')
    assert (tmp_path / 'file').read_bytes() == b'new'
    assert len(told) == 1 and f'{tmp_path} cannot be synced (Invalid argument)' in told[0]


def test_killed_at_any_time_the_file_is_whole(tmp_path):
    path = tmp_path / 'file'
    fork = multiprocessing.get_context('fork')
    for writes in range(1, 6):
        told, tell = fork.Pipe(duplex=False)
        process = fork.Process(target=write_until_killed, args=(path, tell))
        process.start()
        for _ in range(writes):
            last = told.recv()
        process.kill()
        process.join()
        content = path.read_bytes()
        assert len(content) == SIZE
        assert len(set(content)) == 1
        # The next write may have come through before it could be told.
        assert content[0] >= last
