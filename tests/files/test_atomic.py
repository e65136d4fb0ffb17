import pytest

from mmdet_kdrank.files.atomic import replacing


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / 'state.json'
    path.write_text('old')
    with replacing(path) as part:
        part.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / 'state.json'
    path.write_text('old')
    with pytest.raises(KeyboardInterrupt), replacing(path) as part:
        part.write_text('half')
        raise KeyboardInterrupt
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]
