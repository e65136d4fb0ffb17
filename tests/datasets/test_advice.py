"""Faults that only the built data sets show: each is refused, and its advice, followed, ends it."""

from __future__ import annotations

import codecs
import json
import warnings

import pytest
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS
from torch.utils.data import DataLoader

from mmdet_kdrank.datasets.config_check import check_data
from mmdet_kdrank.datasets.image_check import evenly, name_image_errors
from mmdet_kdrank.errors import DataError, KDRankError, MissingFileError
from tests.datasets.made import PIPELINE, Data, dataset

ALL = ('train', 'val', 'test')
MASKS = [PIPELINE[0], dict(type='LoadAnnotations', with_bbox=True, with_mask=True), PIPELINE[2]]
POLYGON = [[2, 3, 22, 3, 22, 23]]


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)


def everywhere(method, **options):
    def change(data):
        for split in ALL:
            getattr(data, method)(split, **options)

    return change


def classes(*names, splits=ALL):
    def change(data):
        for split in splits:
            data.set(split, metainfo=dict(classes=names))

    return change


def reverse(*splits):
    def change(data):
        for split in splits:
            data.change(split, lambda content: content['categories'].reverse())

    return change


def number(first, split='val'):
    def change(content):
        for index, annotation in enumerate(content['annotations']):
            annotation['id'] = first + index

    return lambda data: data.change(split, change)


def everyone(name):
    def change(content):
        (number,) = (c['id'] for c in content['categories'] if c['name'] == name)
        for annotation in content['annotations']:
            annotation['category_id'] = number

    return lambda data: data.change('train', change)


def rename(old, new):
    def change(content):
        for image in content['images']:
            image['id'] = new if image['id'] == old else image['id']
        for annotation in content['annotations']:
            annotation['image_id'] = (
                new if annotation['image_id'] == old else annotation['image_id']
            )

    return lambda data: data.change('val', change)


def scale(factor):
    def change(content):
        for annotation, image in zip(content['annotations'], content['images'], strict=True):
            width, height = image['width'] ** factor, image['height'] ** factor
            sides = (width, height, width, height)
            annotation['bbox'] = [a * b for a, b in zip(annotation['bbox'], sides, strict=True)]
            annotation['area'] *= width * height

    return lambda data: data.change('train', change)


def resize_entry(content):
    content['images'][0].update(width=32, height=24)
    content['annotations'][0].update(bbox=[1, 1, 10, 10], area=100)


def write_as(raw):
    return lambda data: (data.folder / 'train.json').write_bytes(
        raw((data.folder / 'train.json').read_text())
    )


def exchange(content):
    image = content['images'][0]
    image['width'], image['height'] = image['height'], image['width']
    content['annotations'][0]['bbox'] = [2, 3, 20, 20]


def rotated(data):
    # Tag 0x0112 is the orientation; 6 is a camera held upright.
    exif = b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
    data.image('a.jpg', 64, 48, exif=exif)


def unrotated_loading(data):
    load = dict(type='LoadImageFromFile', color_type='color_ignore_orientation')
    for split in ALL:
        data.set(split, pipeline=[load, *PIPELINE[1:]])


def restore(data):
    data.image('a.jpg', 64, 48)


def listed_files(data):
    data.set('train', ann_file=['train.json', 'val.json'])


def joined(data):
    data.config['train_dataloader']['dataset'] = dict(
        type='ConcatDataset', datasets=[dataset(), dataset(ann_file='val.json')]
    )


FAULTS = {
    'areas of 0': (
        everywhere('each', area=0),
        '2 have an area of 0 or less.*set area to width × height',
        [everywhere('each', area=400)],
    ),
    'all crowds': (
        everywhere('each', iscrowd=1),
        r'2 are crowds \(iscrowd\).*Set iscrowd to 0',
        [everywhere('each', iscrowd=0)],
    ),
    'relative boxes': (scale(-1), 'look relative to the image: multiply x and width', [scale(1)]),
    'a class whose objects are all left out': (
        lambda data: data.change('train', lambda c: c['annotations'][1].update(area=0)),
        'classes dog have objects, but none is left.*1 have an area',
        [
            lambda data: data.change('train', lambda c: c['annotations'][1].update(area=400)),
            classes('cat'),
        ],
    ),
    'a class without an object': (
        everyone('cat'),
        'train.json: no object has the classes dog, so they.*Correct category_id.*or remove',
        [
            lambda data: data.change('train', lambda c: c['annotations'][1].update(category_id=2)),
            classes('cat'),
        ],
    ),
    'small images': (
        lambda data: data.set('train', filter_cfg=dict(min_size=128)),
        r"no image is left by filter_cfg=\{'min_size': 128\}.*Lower min_size",
        [lambda data: data.set('train', filter_cfg=dict(min_size=32))],
    ),
    'iscrowd missing where evaluated': (
        lambda data: data.each('val', iscrowd=None),
        r'val.json: 2 annotations have no number as iscrowd \(1, 3\).*Set iscrowd to 0',
        [lambda data: data.each('val', iscrowd=0)],
    ),
    'iscrowd null in the test set': (
        lambda data: data.change('test', lambda c: c['annotations'][0].update(iscrowd=None)),
        'test.json: 1 annotations have no number as iscrowd',
        [lambda data: data.each('test', iscrowd=0)],
    ),
    'annotation 0': (number(0), 'val.json: an annotation has the id 0.*from 1', [number(1)]),
    'image ids of two kinds': (
        rename(1, 'one'),
        'some image ids are numbers and some are strings.*all strings',
        [rename('one', 1), rename(7, 'seven')],
    ),
    'masks evaluated that are not there': (
        lambda data: data.config['val_evaluator'].update(metric=['bbox', 'segm']),
        "2 annotations have no segmentation.*remove 'segm'",
        [
            lambda data: data.config['val_evaluator'].update(metric=['bbox']),
            lambda data: data.each('val', segmentation=POLYGON),
        ],
    ),
    'masks loaded that are not there': (
        lambda data: data.set('train', pipeline=MASKS),
        r'train.json: 2 of 2 annotations have no segmentation \(1, 3\).*with_mask=False',
        [
            lambda data: data.each('train', segmentation=POLYGON),
            lambda data: data.set('train', pipeline=PIPELINE),
        ],
    ),
    'a class in another case': (
        classes('cat', 'Dog'),
        "lack the classes Dog.*The file has 'dog' for 'Dog'.*as in the file",
        [classes('cat', 'dog'), classes('cat')],
    ),
    'another order in the validation file': (
        reverse('val'),
        'val.json: it lists the classes as dog, cat.*Reorder .*cat, dog; their ids stay',
        [reverse('val')],
    ),
    'another order in the validation set': (
        lambda data: (reverse('val')(data), classes('dog', 'cat', splits=['val'])(data)),
        'val_dataloader .*val.json.* has the classes dog, cat, but train_dataloader .*train.json',
        [lambda data: (classes('cat', 'dog')(data), reverse('val')(data))],
    ),
    'fewer classes in the validation set': (
        classes('cat', splits=['val']),
        'has the classes cat, but train_dataloader',
        [classes('cat', 'dog')],
    ),
    'a string as classes': (
        lambda data: [data.set(split, metainfo=dict(classes='cat')) for split in ALL],
        r"classes='cat', a string.*classes=\('cat',\)",
        [classes('cat')],
    ),
    'no classes file': (
        lambda data: [data.set(split, metainfo=dict(classes='no/names.txt')) for split in ALL],
        'classes file no/names.txt, which does not exist. Correct the path',
        [classes('cat')],
    ),
    'a byte order mark': (
        write_as(lambda text: codecs.BOM_UTF8 + text.encode()),
        'is UTF-8 with a byte order mark.*Save it as UTF-8 without',
        [lambda data: data.write('train', json.loads((data.folder / 'val.json').read_text()))],
    ),
    'UTF-16': (
        write_as(lambda text: text.encode('utf-16')),
        'is UTF-16, which pycocotools cannot read. Save it as UTF-8',
        [lambda data: data.write('train', json.loads((data.folder / 'val.json').read_text()))],
    ),
    'Latin-1': (
        write_as(lambda text: text.replace('cow', 'vach\xe9').encode('latin-1')),
        'is no UTF-8, which pycocotools cannot read. Save it as UTF-8',
        [lambda data: data.write('train', json.loads((data.folder / 'val.json').read_text()))],
    ),
    'an image of zero bytes': (
        lambda data: (data.folder / 'images/a.jpg').write_bytes(b''),
        'a.jpg has zero bytes. Copy it again',
        [restore],
    ),
    'an image that is none': (
        lambda data: (data.folder / 'images/a.jpg').write_bytes(b'<html>'),
        'a.jpg cannot be decoded.*Copy it again',
        [restore],
    ),
    'a resized image': (
        lambda data: data.image('a.jpg', 32, 24),
        'stated as 64 × 48 .* but it is loaded as 32 × 24. If the image was resized',
        [restore, lambda data: [data.change(split, resize_entry) for split in ALL]],
    ),
    'an image that EXIF turns': (
        rotated,
        'stated as 64 × 48 .* but it is loaded as 48 × 64. Its EXIF data turn it',
        [unrotated_loading, lambda data: [data.change(split, exchange) for split in ALL]],
    ),
    'a list of files': (listed_files, 'must be one path. Join data sets with', [joined]),
}


@pytest.mark.parametrize('name', FAULTS)
def test_refused_and_the_advice_ends_it(tmp_path, name):
    break_it, message, fixes = FAULTS[name]
    for index, fix in enumerate(fixes):
        data = Data(tmp_path / str(index))
        check_data(data.read(), test_needed=True)
        break_it(data)
        with pytest.raises(KDRankError, match=message) as caught:
            check_data(data.read(), test_needed=True)
        assert '\n' not in str(caught.value)
        fix(data)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            check_data(data.read(), test_needed=True)


def test_an_image_over_the_limit_of_opencv(data, monkeypatch):
    """OpenCV reads its limit when it is imported."""

    def decode(*_, **__):
        raise RuntimeError('(-215:Assertion failed) pixels <= CV_IO_MAX_IMAGE_PIXELS')

    monkeypatch.setattr('mmcv.imfrombytes', decode)
    with pytest.raises(DataError, match=r"images/a.jpg has more pixels than OpenCV's limit. Scale"):
        check_data(data.read())


def test_warnings_count_what_is_left_out(data):
    data.each('val', iscrowd=1)
    data.change('train', lambda c: c['annotations'].append(dict(c['annotations'][0], id=9, area=0)))
    with pytest.warns(UserWarning) as caught:
        check_data(data.read())
    texts = [str(warning.message) for warning in caught]
    assert any('of 3 objects, 1 have an area of 0 or less' in text for text in texts)
    assert any('val.json: no object of the classes but crowds' in text for text in texts)


def test_warns_of_a_file_that_serves_several_images(data):
    data.change('train', lambda content: content['images'][1].update(file_name='a.jpg', height=48))
    with pytest.warns(UserWarning, match='train.json: 1 images have the file_name of another'):
        check_data(data.read())


def test_warns_of_corners(data):
    data.each('train', bbox=[40, 20, 60, 40])
    with pytest.warns(UserWarning, match='2 of 2 boxes leave their image.*two corners'):
        check_data(data.read())


def test_warns_of_a_class_without_objects_and_of_images_left_out(data):
    data.change('train', lambda content: content['annotations'].pop())
    with pytest.warns(UserWarning) as caught:
        check_data(data.read())
    texts = [str(warning.message) for warning in caught]
    assert any('no object has the classes dog' in text for text in texts)
    assert any('of 2 images, filter_cfg leaves out 1' in text for text in texts)


def test_a_training_goes_on_without_its_test_set(data):
    (data.folder / 'test.json').unlink()
    with pytest.warns(UserWarning, match=r'cannot be evaluated: .*test.json does not exist'):
        check_data(data.read())
    with pytest.raises(MissingFileError, match=r'test.json does not exist'):
        check_data(data.read(), test_needed=True)


def test_files_that_are_joined_may_each_lack_the_last_class(data):
    joined(data)
    data.change('val', lambda content: content['annotations'].pop())
    data.change('val', lambda content: content['categories'].pop(1))
    data.config.pop('val_dataloader'), data.config.pop('val_evaluator')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        check_data(data.read())
    data.change('train', lambda content: content['annotations'].pop())
    data.change('train', lambda content: content['categories'].pop(1))
    with pytest.raises(
        DataError, match=r'as the others of the training set: .*lack the classes dog'
    ):
        check_data(data.read())


def test_classes_instead_of_names(data):
    data.set('train', type=CocoDataset, pipeline=[dict(type=LoadImageFromFile), *PIPELINE[1:]])
    data.config['val_evaluator']['type'] = CocoMetric
    check_data(data.read())
    data.each('val', iscrowd=None)
    with pytest.raises(DataError, match='no number as iscrowd'):
        check_data(data.read())
    (data.folder / 'images/a.jpg').write_bytes(b'')
    with pytest.raises(DataError, match='zero bytes'):
        check_data(data.read())


def test_all_images_or_a_sample(data, monkeypatch):
    """The sample is evenly spread, and a flag takes all."""
    assert list(evenly(5, 10)) == list(range(5)) and list(evenly(10, None)) == list(range(10))
    assert list(evenly(10, 4)) == [0, 2, 5, 7]
    monkeypatch.setattr('mmdet_kdrank.datasets.config_check.SAMPLE', 1)
    (data.folder / 'images/sub/b.jpg').write_bytes(b'')
    check_data(data.read())
    with pytest.raises(DataError, match='sub/b.jpg has zero bytes'):
        check_data(data.read(), all_images=True)


@pytest.mark.parametrize('workers', [0, 1])
def test_a_run_names_the_image_that_fails(data, monkeypatch, workers):
    """Also where a worker loads it, after the sample has missed it."""
    monkeypatch.setattr(LoadImageFromFile, 'transform', LoadImageFromFile.transform)
    name_image_errors()
    (data.folder / 'images/a.jpg').write_bytes(b'')
    config = data.read().train_dataloader.dataset
    images = DataLoader(DATASETS.build(config), num_workers=workers, collate_fn=list)
    with pytest.raises(DataError, match='images/a.jpg has zero bytes. Copy it again'):
        list(images)


def test_the_test_tool_checks_its_set_alone(data):
    (data.folder / 'train.json').unlink()
    check_data(data.read(), splits=('test',))
    number(0, 'test')(data)
    with pytest.raises(DataError, match='test.json: an annotation has the id 0'):
        check_data(data.read(), splits=('test',))
