"""Writes the data set to a folder, once."""

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from mmdet_kdrank.datasets.shapes.scene import SPLITS, draw_scene
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES, class_parts

MANIFEST = 'manifest.json'
FORMAT = 'mmdet_kdrank shapes'
VERSION = 2  # raise it with every change of the files that a specification gives


@dataclass(frozen=True)
class ShapesSpec:
    """The settings that determine the content of the folder."""

    seed: int = 0
    num_train: int = 1000
    num_val: int = 200
    size: int = 128

    def manifest(self) -> dict:
        """Return the content of the manifest, which identifies the images in a folder."""
        return dict(format=FORMAT, version=VERSION, **asdict(self))


def read_manifest(folder: Path | str) -> dict | None:
    """Read the manifest of a folder; None if there is none."""
    path = Path(folder) / MANIFEST
    return json.loads(path.read_text()) if path.is_file() else None


def shapes_options(folder: Path | str) -> dict[str, str]:
    """Return the options with which a config takes its images from a folder.

    Args:
        folder: Folder of the data set.

    Returns:
        Values by dotted key, as ``--cfg-options`` and ``Config.merge_from_dict`` take them.
    """
    annotations = str(Path(folder) / 'annotations' / 'instances_val.json')
    return {
        'train_dataloader.dataset.data_root': f'{folder}/',
        'val_dataloader.dataset.data_root': f'{folder}/',
        'test_dataloader.dataset.data_root': f'{folder}/',
        'val_evaluator.ann_file': annotations,
        'test_evaluator.ann_file': annotations,
    }


def write_shapes(folder: Path | str, spec: ShapesSpec | None = None) -> bool:
    """Write ``{train,val}/*.png`` and ``annotations/instances_{train,val}.json`` once.

    The folder appears whole or not at all: an interrupted call leaves the former state.

    Args:
        folder: Target folder. A folder of this data set with another specification is replaced. Any
            other folder that is not empty is refused.
        spec: The images to draw.

    Returns:
        Whether anything was written.
    """
    folder, spec = Path(folder).absolute(), spec or ShapesSpec()
    if folder.exists():
        manifest = read_manifest(folder)
        if manifest == spec.manifest():
            return False
        if any(folder.iterdir()) and (manifest is None or manifest.get('format') != FORMAT):
            raise FileExistsError(
                f'{folder} holds other files than this data set; name an empty or a new folder'
            )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{folder.name}-', dir=folder.parent) as scratch:
        fresh = Path(scratch) / 'fresh'
        for split, number in zip(SPLITS, (spec.num_train, spec.num_val), strict=True):
            _write_split(fresh, split, number, spec)
        (fresh / MANIFEST).write_text(json.dumps(spec.manifest(), indent=1) + '\n')
        if folder.exists():
            shutil.move(folder, Path(scratch) / 'former')
        os.replace(fresh, folder)
    return True


def _write_split(folder: Path, split: str, number: int, spec: ShapesSpec) -> None:
    (folder / split).mkdir(parents=True)
    (folder / 'annotations').mkdir(exist_ok=True)
    images, annotations = [], []
    for index in range(number):
        image, objects = draw_scene(spec.seed, split, index, spec.size)
        name = f'{index:06d}.png'
        if not cv2.imwrite(str(folder / split / name), image[..., ::-1]):
            raise OSError(f'cannot write {folder / split / name}')
        images.append(dict(id=index + 1, file_name=name, width=spec.size, height=spec.size))
        annotations += [
            dict(
                id=len(annotations) + i,
                image_id=index + 1,
                category_id=item.label + 1,
                bbox=list(item.box),
                area=item.area,
                segmentation=_run_lengths(item.mask),
                visible=item.visible,
                iscrowd=0,
            )
            for i, item in enumerate(objects, start=1)
        ]
    categories = [
        dict(id=label + 1, name=name, supercategory=class_parts(label)[0])
        for label, name in enumerate(CLASSES)
    ]
    content = dict(
        info=dict(description=FORMAT, version=str(VERSION)),
        images=images,
        annotations=annotations,
        categories=categories,
    )
    (folder / 'annotations' / f'instances_{split}.json').write_text(json.dumps(content))


def _run_lengths(mask: np.ndarray) -> dict:
    """Return COCO's compressed run-length code; unlike polygons, it has holes and exact pixels."""
    code = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return dict(size=code['size'], counts=code['counts'].decode('ascii'))
