"""Trying the evaluation of a comparison before its trainings."""

from __future__ import annotations

import io
import json
from copy import deepcopy

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from mmdet_kdrank.compare.coco import Detections, evaluate_boxes, quietly
from mmdet_kdrank.compare.run_samples import RunSamples, calibration_error
from mmdet_kdrank.compare.run_settings import coco_metric
from mmdet_kdrank.datasets.evaluation_check import check_evaluated
from mmdet_kdrank.ops.checks import blamed_on


def rehearse(name: str, config: Config) -> None:
    """Evaluate one detection an image on the first batch of a test set, and read the result back.

    What fails here would fail after the training: the pipeline, the ids, the annotation file.

    Args:
        name: Of the variant, for errors.
        config: Whole config of a training.

    Raises:
        ValueError: Names the variant, and what MMDetection or COCO's evaluation cannot use.
    """
    register_all_modules(init_default_scope=True)
    fix = 'Correct test_dataloader or test_evaluator; the training has not begun.'
    with quietly(), blamed_on(f'{name}: evaluating its test set', fix):
        options = deepcopy(config.test_dataloader)
        options.update(num_workers=0, persistent_workers=False)
        loader = Runner.build_dataloader(options)
        classes = loader.dataset.metainfo['classes']
        ann_file = coco_metric(config, name)['ann_file']
        check_evaluated(ann_file, classes)
        coco = COCO(ann_file)
        detections = Detections(coco, classes)
        detections.add([_detected(s) for s in next(iter(loader))['data_samples']])
        measures, matches = evaluate_boxes(coco, classes, detections)
        json.dumps({**measures, 'ECE': calibration_error(matches)})
        file = io.BytesIO()
        np.savez_compressed(file, **detections.arrays(), **matches.arrays())
        file.seek(0)
        RunSamples.load(file)


def _detected(sample: DetDataSample) -> DetDataSample:
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[0.0, 0.0, 9.0, 9.0]]),
        scores=torch.tensor([0.5]),
        labels=torch.tensor([0]),
    )
    return sample
