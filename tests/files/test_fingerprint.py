import hashlib

import pytest

from mmdet_kdrank.files.fingerprint import file_sha256, fingerprint


@pytest.mark.parametrize('size', [0, 1, 1 << 20, (1 << 20) + 1])
def test_hash_is_that_of_all_bytes(tmp_path, size):
    content = bytes(range(256)) * (size // 256) + b'x' * (size % 256)
    (tmp_path / 'file').write_bytes(content)
    assert file_sha256(tmp_path / 'file') == hashlib.sha256(content).hexdigest()


def test_a_fingerprint_is_the_beginning_of_the_hash_of_the_text_in_utf_8():
    assert fingerprint('τ') == hashlib.sha256('τ'.encode()).hexdigest()[:16]
