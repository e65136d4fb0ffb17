from __future__ import annotations

import errno
import tarfile
import time
import tracemalloc
import zipfile

import pytest
import torch

from mmdet_kdrank.checkpoints.file_checks import check_file, record_sizes
from mmdet_kdrank.errors import CheckpointError

TERABYTE = 1 << 40


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'teacher.pth'
    torch.save(dict(a=torch.zeros(3), b=torch.zeros(5, dtype=torch.int64)), path)
    return path


def test_a_checkpoint_passes(file):
    check_file(file, str(file))
    sizes = record_sizes(file)
    assert [sizes('0'), sizes('1')] == [12, 40]
    with pytest.raises(RuntimeError):
        sizes('2')


def test_the_format_of_before_torch_1_6_passes(tmp_path):
    path = tmp_path / 'old.pth'
    torch.save(dict(a=torch.zeros(3)), path, _use_new_zipfile_serialization=False)
    check_file(path, str(path))
    assert record_sizes(path) is None


def test_an_archive_behind_an_old_checkpoint_is_none(tmp_path, file):
    """torch looks at the first bytes, Python's zipfile at the last ones."""
    path = tmp_path / 'old.pth'
    torch.save(dict(a=torch.zeros(3)), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes() + file.read_bytes())
    assert zipfile.is_zipfile(path) and record_sizes(path) is None


def test_the_record_that_torch_reads_counts(tmp_path):
    path = tmp_path / 'two.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/DATA/0', bytes(16))
        archive.writestr('b/data/0', bytes(4000))
        archive.writestr('a/version', '3')
    assert record_sizes(path)('0') == 16


@pytest.mark.parametrize(
    ('number', 'kind'), [(errno.EINVAL, CheckpointError), (errno.EIO, OSError)]
)
def test_only_a_torn_archive_is_truncated(file, monkeypatch, number, kind):
    def fail(*_):
        raise OSError(number, 'failed')

    monkeypatch.setattr(zipfile, 'ZipFile', fail)
    with pytest.raises(kind):
        check_file(file, 'given')


@pytest.mark.parametrize(
    ('content', 'fault'),
    [
        (b'', 'is empty'),
        (b'<!DOCTYPE html><html><title>Sign in</title>', 'HTML or XML page: the download was'),
        (b'\n  <HTML lang="en"><head>', 'HTML or XML page'),
        (b'\xef\xbb\xbf<?xml version="1.0"?><Error><Code>AccessDenied', 'HTML or XML page'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n', 'git lfs pull'),
        (b'PK\x03\x04' + bytes(100), 'is truncated'),
    ],
)
def test_what_is_no_checkpoint(tmp_path, content, fault):
    path = tmp_path / 'teacher.pth'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f'Checkpoint given.*{fault}'):
        check_file(path, 'given')


def test_truncated_anywhere(file):
    whole = file.read_bytes()
    for end in range(4, len(whole), 97):
        file.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match='is truncated: the archive of'):
            check_file(file, 'given')


def declare(path, size):
    """An archive that looks like torch's and declares ``size`` bytes for its one tensor."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('teacher/data.pkl', b'\x80\x02}.')
        archive.writestr('teacher/data/0', bytes(16))
        archive.filelist[1].file_size = archive.filelist[1].compress_size = size


@pytest.mark.parametrize('size', [10_000, 4 * TERABYTE])
def test_declared_sizes_beyond_the_file(tmp_path, size):
    declare(tmp_path / 'bomb.pth', size)
    started = time.perf_counter()
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=rf'declares {size + 4} bytes of content'):
        check_file(tmp_path / 'bomb.pth', 'bomb.pth')
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert time.perf_counter() - started < 1


def test_compressed_content(tmp_path):
    path = tmp_path / 'bomb.pth'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('teacher/data/0', bytes(1 << 22))
    assert path.stat().st_size < 10_000
    with pytest.raises(CheckpointError, match='exhaust the memory'):
        check_file(path, 'bomb.pth')


def test_tar_archive(tmp_path):
    path = tmp_path / 'ancient.pth'
    (tmp_path / 'storages').write_bytes(b'')
    with tarfile.open(path, 'w:') as archive:
        archive.add(tmp_path / 'storages', 'storages')
    with pytest.raises(CheckpointError, match='given was refused: it is a tar archive'):
        check_file(path, 'given')
