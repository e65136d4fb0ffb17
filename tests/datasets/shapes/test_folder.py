import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet_kdrank.datasets.shapes import folder as module
from mmdet_kdrank.datasets.shapes.folder import (
    ShapesSpec,
    read_manifest,
    shapes_options,
    write_shapes,
)
from mmdet_kdrank.datasets.shapes.scene import draw_scene
from mmdet_kdrank.datasets.shapes.taxonomy import CLASSES

ROOT = Path(__file__).resolve().parents[3]
SPEC = ShapesSpec(seed=5, num_train=3, num_val=2, size=64)


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data') / 'shapes'
    assert write_shapes(folder, SPEC)
    return folder


def test_pictures_are_those_of_the_seed(written):
    picture = cv2.imread(str(written / 'val' / '000001.png'))[..., ::-1]
    assert np.array_equal(picture, draw_scene(5, 'val', 1, 64)[0])


@pytest.mark.parametrize('kind', ['bbox', 'segm'])
@pytest.mark.parametrize('split, number', [('train', 3), ('val', 2)])
def test_annotations_evaluate_to_one_against_themselves(written, split, number, kind, capsys):
    truth = COCO(str(written / 'annotations' / f'instances_{split}.json'))
    assert len(truth.imgs) == number
    assert [c['name'] for c in truth.loadCats(truth.getCatIds())] == list(CLASSES)
    assert sorted(truth.anns) == list(range(1, len(truth.anns) + 1))
    detections = truth.loadRes([{**ann, 'score': 1.0} for ann in truth.anns.values()])
    evaluation = COCOeval(truth, detections, kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_masks_survive_the_round_trip(written):
    read = COCO(str(written / 'annotations' / 'instances_train.json'))
    for index in range(3):
        objects = draw_scene(5, 'train', index, 64)[1]
        annotations = read.imgToAnns[index + 1]
        assert len(annotations) == len(objects)
        for annotation, item in zip(annotations, objects, strict=True):
            assert np.array_equal(read.annToMask(annotation), item.mask)
            code = read.annToRLE(annotation)
            assert coco_mask.area(code) == annotation['area']
            assert coco_mask.toBbox(code).tolist() == annotation['bbox']


def test_folder_of_an_older_version_is_replaced(tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(module, 'VERSION', module.VERSION - 1)
        write_shapes(tmp_path / 'shapes', SPEC)
    path = tmp_path / 'shapes' / 'annotations' / 'instances_val.json'
    without = json.loads(path.read_text())
    for annotation in without['annotations']:
        del annotation['segmentation']
    path.write_text(json.dumps(without))
    assert write_shapes(tmp_path / 'shapes', SPEC)
    assert all('segmentation' in item for item in json.loads(path.read_text())['annotations'])
    assert not write_shapes(tmp_path / 'shapes', SPEC)


def test_second_call_does_nothing(written):
    before = (written / 'manifest.json').stat().st_mtime_ns
    assert not write_shapes(written, SPEC)
    assert (written / 'manifest.json').stat().st_mtime_ns == before


def test_other_specification_replaces_the_folder(tmp_path):
    write_shapes(tmp_path / 'shapes', SPEC)
    smaller = ShapesSpec(seed=5, num_train=1, num_val=1, size=64)
    assert write_shapes(tmp_path / 'shapes', smaller)
    assert read_manifest(tmp_path / 'shapes') == smaller.manifest()
    assert len(list((tmp_path / 'shapes' / 'train').iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ['shapes']


def test_interrupted_call_leaves_the_former_state(tmp_path, monkeypatch):
    write_shapes(tmp_path / 'shapes', SPEC)

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, 'draw_scene', interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_shapes(tmp_path / 'shapes', ShapesSpec(seed=6, num_train=1, num_val=1))
    assert read_manifest(tmp_path / 'shapes') == SPEC.manifest()
    assert [path.name for path in tmp_path.iterdir()] == ['shapes']


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / 'thesis.tex').write_text('do not delete')
    with pytest.raises(FileExistsError, match='holds other files'):
        write_shapes(tmp_path, SPEC)
    (tmp_path / 'manifest.json').write_text(json.dumps(dict(format='another')))
    with pytest.raises(FileExistsError, match='holds other files'):
        write_shapes(tmp_path, SPEC)


def test_empty_folder_is_taken(tmp_path):
    assert write_shapes(tmp_path, ShapesSpec(num_train=1, num_val=1, size=64))


def test_options_lead_a_config_to_the_folder(tmp_path):
    write_shapes(tmp_path / 'shapes', ShapesSpec(num_train=1, num_val=1))
    config = Config.fromfile(ROOT / 'configs' / 'shapes' / 'retinanet_r18w16_shapes.py')
    config.merge_from_dict(shapes_options(tmp_path / 'shapes'))
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert len(DATASETS.build(config[name].dataset)) == 1
    for name in ('val_evaluator', 'test_evaluator'):
        assert Path(config[name].ann_file).is_file()
