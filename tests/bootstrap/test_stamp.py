import pytest

from bootstrap import stamp
from bootstrap.stamp import Stamp


@pytest.mark.parametrize(
    'variant, force_cuda, serves',
    [
        ('cpu', None, True),
        ('cpu', '0', True),
        ('cpu', '1', False),
        ('cu130-9.0', None, True),
        ('cu130-9.0', '1', True),
        ('cu130-9.0', '0', False),
        ('given', '1', True),
    ],
)
def test_force_cuda_decides_whether_an_environment_will_do(variant, force_cuda, serves):
    assert Stamp('abc', variant).serves('abc', force_cuda) is serves


def test_other_requirements_do_not_serve():
    assert not Stamp('abc', 'cpu').serves('abd', None)


def test_round_trip(tmp_path):
    assert stamp.read(tmp_path) is None
    stamp.write(tmp_path, Stamp('abc', 'cpu'))
    assert stamp.read(tmp_path) == Stamp('abc', 'cpu')
    stamp.remove(tmp_path)
    stamp.remove(tmp_path)
    assert stamp.read(tmp_path) is None


@pytest.mark.parametrize('text', ['', '{}', '[1]', '{"old": 1}'])
def test_unknown_stamp_counts_as_none(tmp_path, text):
    (tmp_path / stamp.NAME).write_text(text)
    assert stamp.read(tmp_path) is None
