import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdet_kdrank.runs.finished_run import FinishedRun
from mmdet_kdrank.runs.validation import Validation
from tests.detectors import FASTER


@pytest.fixture
def config(trained_run):
    return FinishedRun(trained_run(FASTER)).config.copy()


def boxes_in_the_pipeline(config):
    return [picture.batch['data_samples'][0].gt_instances.bboxes for picture in Validation(config)]


def test_boxes_in_the_input_are_those_of_the_pipeline(config):
    """The shapes' pipeline resizes before it loads annotations: pixels of the file, as COCO's."""
    pipeline = config.val_dataloader.dataset.pipeline
    resize = pipeline.pop(1)
    # After the annotations it resizes them too, into pixels of the input.
    pipeline.insert(2, resize)
    resize.scale = (96, 96)
    for picture, expected in zip(Validation(config), boxes_in_the_pipeline(config), strict=True):
        torch.testing.assert_close(picture.input_boxes, expected.tensor)
        assert not torch.allclose(picture.truth.bboxes, expected.tensor)


def test_boxes_do_not_depend_on_the_order_of_the_pipeline(config):
    pipeline = config.val_dataloader.dataset.pipeline
    pipeline[1].scale = (96, 96)
    before = [picture.input_boxes for picture in Validation(config)]
    pipeline[1], pipeline[2] = pipeline[2], pipeline[1]
    for one, picture in zip(before, Validation(config), strict=True):
        torch.testing.assert_close(one, picture.input_boxes)


def test_the_first_images_alone(config):
    whole, part = Validation(config), Validation(config, 3)
    assert (len(whole), len(part), len(list(part))) == (4, 3, 3)
    assert part[2].path == whole[2].path
    with pytest.raises(IndexError):
        _ = part[3]


def test_a_config_without_validation_is_refused(config):
    with pytest.raises(ValueError, match='neither val_dataloader'):
        Validation(Config(dict(model=config.model), filename=config.filename))


@pytest.mark.parametrize('named', [(2**53).__add__, lambda i: str(2**53 + i)])
def test_images_with_ids_that_no_float_holds(config, tmp_path, named):
    before = list(Validation(config))
    dataset = config.val_dataloader.dataset
    content = json.loads(Path(dataset.data_root, dataset.ann_file).read_text())
    for image in content['images']:
        image['id'] = named(image['id'])
    for annotation in content['annotations']:
        annotation['image_id'] = named(annotation['image_id'])
    dataset.ann_file = str(tmp_path / 'val.json')
    Path(dataset.ann_file).write_text(json.dumps(content))

    for one, other in zip(before, Validation(config), strict=True):
        ids = [picture.batch['data_samples'][0].img_id for picture in (one, other)]
        assert ids[1] == named(ids[0])
        assert one.path == other.path
        assert one.truth.labels.equal(other.truth.labels)
        assert one.truth.bboxes.equal(other.truth.bboxes)
        assert len(one.truth)
