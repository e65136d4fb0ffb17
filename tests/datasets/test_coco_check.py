from __future__ import annotations

import copy
import json

import pytest

from mmdet_kdrank.datasets.coco_check import check_coco
from mmdet_kdrank.errors import KDRankError
from tests.faults.coco import CLASSES, CONTENT, DATA_FAULTS, LEGAL, write_coco


@pytest.mark.parametrize('name', LEGAL)
def test_legal(tmp_path, name):
    content = copy.deepcopy(CONTENT)
    LEGAL[name](content)
    check_coco(write_coco(tmp_path, content), CLASSES, tmp_path / 'images', training=True)


@pytest.mark.parametrize('name', DATA_FAULTS)
def test_fault(tmp_path, name):
    change, fault = DATA_FAULTS[name]
    content = copy.deepcopy(CONTENT)
    change(content)
    file = write_coco(tmp_path, content)
    with pytest.raises(KDRankError, match=fault) as caught:
        check_coco(file, CLASSES, tmp_path / 'images', training=True)
    assert str(file) in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize('text', ['', '{"images": [', '<html>', 'null', '[]', '{}'])
def test_no_annotation_file(tmp_path, text):
    (tmp_path / 'instances.json').write_text(text)
    with pytest.raises(ValueError, match='instances.json (is no JSON.*|has no list of objects)'):
        check_coco(tmp_path / 'instances.json', CLASSES, None, training=True)


def test_validation_may_have_no_object(tmp_path):
    file = write_coco(tmp_path, dict(CONTENT, annotations=[]))
    check_coco(file, CLASSES, None, training=False)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='absent.json does not exist. Correct ann_file'):
        check_coco(tmp_path / 'absent.json', CLASSES, None, training=True)
    file = write_coco(tmp_path, CONTENT)
    check_coco(file, CLASSES, tmp_path / 'images', training=True)
    (tmp_path / 'images' / 'sub' / 'b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'Image .*sub/b.jpg, which .* does not exist. Add'):
        check_coco(file, CLASSES, tmp_path / 'images', training=True)


def test_nan_of_another_writer(tmp_path):
    """Python's json writes and reads NaN, which is no JSON."""
    file = write_coco(tmp_path, CONTENT)
    file.write_text(json.dumps(CONTENT).replace('10.5', 'NaN'))
    with pytest.raises(ValueError, match=r'annotation 3 \(image sub/b.jpg\) has the box \[nan'):
        check_coco(file, CLASSES, None, training=True)
