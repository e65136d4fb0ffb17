"""A small annotation file, and what may and may not be wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

CLASSES = ('cat', 'dog')
CONTENT = dict(
    images=[
        dict(id=1, file_name='a.jpg', width=64, height=48),
        dict(id=7, file_name='sub/b.jpg', width=64, height=64),
    ],
    categories=[dict(id=1, name='cat'), dict(id=2, name='dog'), dict(id=3, name='cow')],
    annotations=[
        dict(id=1, image_id=1, category_id=1, bbox=[2, 3, 20, 20], area=400, iscrowd=0),
        dict(id=3, image_id=7, category_id=2, bbox=[10.5, 3, 20, 20], area=400, iscrowd=0),
    ],
)


def write_coco(folder: Path, content: dict) -> Path:
    for name in ('a.jpg', 'sub/b.jpg'):
        file = folder / 'images' / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    file = folder / 'instances.json'
    file.write_text(json.dumps(content))
    return file


def _entry(table, index=0, /, **values):
    """Changes of one entry; None takes the key away."""

    def change(content):
        for key, value in values.items():
            if value is None:
                del content[table][index][key]
            else:
                content[table][index][key] = value

    return change


def _cleared(table):
    return lambda content: content[table].clear()


def _doubled(table):
    return lambda content: content[table].append(dict(content[table][0]))


def _holes(content):
    for category, new in zip(content['categories'], (5, 17, 90), strict=True):
        for annotation in content['annotations']:
            if annotation['category_id'] == category['id']:
                annotation['category_id'] = new
        category['id'] = new


NAN = float('nan')
LEGAL = {
    'as it is': lambda content: None,
    'category ids with holes': _holes,
    'a class without objects': lambda content: content['annotations'].pop(),
    'a picture without objects': lambda content: content['annotations'].pop(0),
    'a box beyond the picture': _entry('annotations', bbox=[-5, 40, 100, 100]),
    'a box without area': _entry('annotations', bbox=[3, 4, 0, 0], area=0),
    'sizes with a point': _entry('images', width=64.0, height=48.0),
    'ids that are strings': lambda content: (
        content['images'][0].update(id='a'),
        content['annotations'][0].update(image_id='a'),
    ),
}
BOX = r'annotation 1 \(image a.jpg\) has the box .*not four finite numbers.*Correct or remove'
DATA_FAULTS = {
    'zero images': (_cleared('images'), 'lists no image. Set ann_file'),
    'no annotation': (_cleared('annotations'), 'lists no annotation.*Set ann_file to another'),
    'no category': (_cleared('categories'), r'none of the classes \(cat, dog\).*Set metainfo'),
    'no images table': (lambda content: content.pop('images'), "no list of objects under 'images'"),
    'annotations as a dict': (
        lambda content: content.update(annotations={'1': {}}),
        "no list of objects under 'annotations'.*Write it",
    ),
    'annotations of numbers': (
        lambda content: content.update(annotations=[1]),
        "no list of objects under 'annotations'.*Write it",
    ),
    'image without id': (_entry('images', id=None), "image 'a.jpg' needs an id.*Complete"),
    'image without width': (_entry('images', width=None), "image 'a.jpg' needs an id, and width"),
    'image of width 0': (_entry('images', width=0), "'a.jpg'.* is 0 × 48. Complete"),
    'two images of one id': (_doubled('images'), 'image id 1 occurs 2 times. Make each unique'),
    'category without name': (_entry('categories', name=None), 'needs an id and a name. Complete'),
    'two categories of one id': (
        _entry('categories', 1, id=1),
        'category id 1 occurs 2 times. Make',
    ),
    'two categories of one name': (
        _entry('categories', 2, name='dog'),
        "category name 'dog' occurs 2 times. Make",
    ),
    'other classes': (
        lambda content: [
            category.update(name='x' + category['name']) for category in content['categories']
        ],
        r'none of the classes \(cat, dog\) is among its categories \(xcat, xdog, xcow\).*Set meta',
    ),
    'classes in another order': (
        lambda content: content['categories'].reverse(),
        "lists the classes as dog, cat, but.*Reorder the entries of 'categories'.*cat, dog;",
    ),
    'a first class that the file lacks': (
        _entry('categories', name='lion'),
        r'its categories \(lion, dog, cow\) lack the classes cat.*Write the names',
    ),
    'a last class that the file lacks': (
        _entry('categories', 1, name='bird'),
        r'its categories \(cat, bird, cow\) lack the classes dog.*remove these classes',
    ),
    'a class in another case': (
        _entry('categories', 1, name='Dog '),
        r"lack the classes dog.*The file has 'Dog ' for 'dog'. Write the names",
    ),
    'image without file name': (
        _entry('images', file_name=None),
        'image 1 has the file_name None, not a string. Set it',
    ),
    'file name of a number': (_entry('images', file_name=12), 'image 1 has the file_name 12'),
    'image id of a list': (_entry('images', id=[1]), r"image 'a.jpg' needs an id.*is \[1\]"),
    'image id of a list in an annotation': (
        _entry('annotations', image_id=[1]),
        r'has the image_id \[1\]; it must be one number.*Correct it',
    ),
    'several categories of an annotation': (
        _entry('annotations', category_id=[1, 2]),
        r'has the category_id \[1, 2\].*several classes needs one annotation for each',
    ),
    'annotation id of a list': (_entry('annotations', id=[1]), r'annotation \[1\] has the id'),
    'annotation without id': (_entry('annotations', id=None), 'annotation None has the id None'),
    'a numeral as width': (_entry('images', width='64'), "its size is '64' × 48. Complete"),
    'area of NaN': (_entry('annotations', area=NAN), 'has the area nan'),
    'annotation of no image': (_entry('annotations', image_id=2), 'image 2, which.*Remove'),
    'annotation without image': (_entry('annotations', image_id=None), 'belongs to image None'),
    'annotation of no category': (_entry('annotations', category_id=8), 'category 8.*Correct'),
    'annotation without category': (_entry('annotations', category_id=None), 'category None'),
    'a box with NaN': (_entry('annotations', bbox=[NAN, 1, 2, 3]), BOX),
    'a box with infinity': (_entry('annotations', bbox=[1, 1, 2, float('inf')]), BOX),
    'a box of three numbers': (_entry('annotations', bbox=[1, 1, 2]), BOX),
    'a box of words': (_entry('annotations', bbox=['1', '1', '2', '2']), BOX),
    'a box of None': (lambda content: content['annotations'][0].update(bbox=None), BOX),
    'no box': (_entry('annotations', bbox=None), BOX),
    'a numeral as area': (_entry('annotations', area='400'), "area '400'.*without quotes"),
    'no area': (_entry('annotations', area=None), 'has the area None.*set it to width × height'),
    'two annotations of one id': (_doubled('annotations'), 'annotation id 1 occurs 2 times. Make'),
}
