"""Annotations and detections made up for tests, with crowds, ties and empty images."""

from __future__ import annotations

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet_kdrank.compare.coco import quietly

CLASSES = ('ant', 'bee', 'cat', 'dog')


def annotations(images=12, seed=0, crowds=True, size=100):
    """A COCO dict: 0 to 5 objects an image; the last class has none."""
    rng = np.random.default_rng(seed)
    found = []
    for image in range(1, images + 1):
        for _ in range(rng.integers(0, 6)):
            x, y = rng.uniform(0, size - 40, 2)
            width, height = rng.uniform(5, 40, 2)
            found.append(
                dict(
                    id=len(found) + 1,
                    image_id=image,
                    category_id=int(rng.integers(1, len(CLASSES))),
                    bbox=[x, y, width, height],
                    area=width * height,
                    iscrowd=int(crowds and rng.random() < 0.15),
                )
            )
    return dict(
        images=[dict(id=i + 1, width=size, height=size, file_name=str(i)) for i in range(images)],
        annotations=found,
        categories=[dict(id=i + 1, name=name) for i, name in enumerate(CLASSES)],
    )


def detections(content, seed=0, quality=0.15, ties=True):
    """Rows as COCO.loadRes takes them: objects found roughly, some missed, and false ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for entry in content['annotations']:
        for _ in range(rng.integers(0, 3)):
            box = np.array(entry['bbox']) * (1 + quality * rng.standard_normal(4))
            rows.append([entry['image_id'], *box, rng.random(), entry['category_id']])
    for image in content['images']:
        for _ in range(rng.integers(0, 4)):
            box = [*rng.uniform(0, 60, 2), *rng.uniform(5, 40, 2)]
            rows.append([image['id'], *box, rng.random(), rng.integers(1, len(CLASSES) + 1)])
    table = np.array(rows)
    if ties:
        table[:, 5] = np.round(table[:, 5], 1)
    return table


def repeated(content, table, counts):
    """The data set in which image i stands counts[i] times, copies side by side."""
    images, objects, rows = [], [], []
    for image, count in zip(content['images'], counts, strict=True):
        for _ in range(count):
            number = len(images) + 1
            images.append(dict(image, id=number))
            for entry in content['annotations']:
                if entry['image_id'] == image['id']:
                    objects.append(dict(entry, id=len(objects) + 1, image_id=number))
            copies = table[table[:, 0] == image['id']].copy()
            copies[:, 0] = number
            rows.append(copies)
    return dict(content, images=images, annotations=objects), np.concatenate(rows)


class FoundRows:
    """Rows in the place of Detections."""

    def __init__(self, rows):
        self._rows = rows

    def table(self):
        return self._rows


def open_coco(content):
    coco = COCO()
    coco.dataset = content
    with quietly():
        coco.createIndex()
    return coco


def coco_evaluation(content, table):
    """COCOeval itself, evaluated, accumulated and summarised."""
    coco = open_coco(content)
    with quietly():
        evaluation = COCOeval(coco, coco.loadRes(table), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation
