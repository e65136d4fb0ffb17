"""Evaluating the teacher before the student trains on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from mmdet_kdrank.errors import ArgumentError, CheckpointError
from mmdet_kdrank.ops.checks import check_count
from mmdet_kdrank.random_states import kept_random_states
from mmdet_kdrank.structures.class_alignment import align_classes
from mmdet_kdrank.structures.samples import ClassAlignment
from mmdet_kdrank.teachers.teacher import Teacher


@dataclass(frozen=True)
class TeacherCheck:
    """Refuses a teacher that detects too little on the first validation images.

    Images and metric come from ``val_dataloader`` and ``val_evaluator`` of the run's config.
    Classes are matched by name, and a class that only one side knows is ignored. Every rank
    evaluates its share, and all get the same result. The check uses neither the training set nor
    its random numbers.

    Args:
        num_images: Number of validation images, from the first on.
        min_map: Smallest bounding-box mAP that is accepted, from 0 to 1.

    Raises:
        ValueError: If an argument is out of range.
    """

    num_images: int = 100
    min_map: float = 0.1

    def __post_init__(self) -> None:
        check_count('teacher.verify.num_images', self.num_images)
        if not (isinstance(self.min_map, (int, float)) and 0 < self.min_map < 1):
            raise ArgumentError(
                f'teacher.verify.min_map={self.min_map!r} must be a number between 0 and 1: the '
                'mAP of usable detectors on COCO is 0.2 to 0.6.'
            )

    @classmethod
    def from_option(cls, verify: bool | dict | None) -> TeacherCheck | None:
        """Read ``teacher.verify``: True, False, or the arguments; ValueError on anything else."""
        if verify is False or verify is None:
            return None
        if verify is True:
            return cls()
        if not isinstance(verify, dict) or set(verify) - {'num_images', 'min_map'}:
            raise ArgumentError(
                f'teacher.verify={verify!r} is unknown. Give True, or dict(num_images=100, '
                'min_map=0.1) with other numbers.'
            )
        return cls(**verify)

    def __call__(self, teacher: Teacher, config: Mapping) -> None:
        """Evaluate a loaded teacher.

        Args:
            teacher: The teacher.
            config: Config of the run, with ``val_dataloader`` and ``val_evaluator``.

        Raises:
            ValueError: If the run has no validation set, or none that gives an mAP.
            CheckpointError: If the teacher's mAP is below ``min_map``.
        """
        _require_validation(config)
        device = next(teacher.model.parameters()).device
        with kept_random_states():
            dataset = _first_images(config.val_dataloader.dataset, self.num_images)
            alignment, classes = _common_classes(dataset, teacher)
            evaluator = _evaluator(config.val_evaluator, dataset, classes)
            loader = Runner.build_dataloader(dict(config.val_dataloader, dataset=dataset))
            labels = torch.full((alignment.num_teacher,), -1)
            labels[alignment.teacher] = torch.arange(len(classes))
            _predict(teacher, loader, labels.to(device), evaluator)
            value = _mean_average_precision(evaluator, len(dataset))
        result = (
            f'mAP {value:.3f} on the first {len(dataset)} validation images, over '
            f'{len(classes)} of {alignment.num_student} classes'
        )
        if value < self.min_map:
            raise CheckpointError(
                f'The teacher ({teacher.checkpoint}) was refused: {result}, is below '
                f'teacher.verify.min_map={self.min_map:g}. Its weights, its config '
                '(data_preprocessor, classes, test_cfg) or the validation set are wrong. '
                'Run tools/test.py on the config and the checkpoint of the teacher to see more. '
                'If the teacher is right, lower min_map.'
            )
        print_log(f'The teacher was verified: {result}.', logger='current')


def _require_validation(config: Mapping) -> None:
    if not (config.get('val_dataloader') and config.get('val_evaluator')):
        raise ArgumentError(
            'teacher.verify evaluates the teacher on the validation set, and this run has none: '
            'give the config val_dataloader and val_evaluator, or set teacher.verify=False.'
        )


def _first_images(config: dict, num_images: int) -> BaseDataset:
    dataset = DATASETS.build(config)
    if not isinstance(dataset, BaseDataset):
        raise ArgumentError(
            f'teacher.verify cannot take the first images of a {type(dataset).__name__}. Set '
            'val_dataloader.dataset to the data set inside it, or teacher.verify=False.'
        )
    dataset.full_init()
    if num_images < len(dataset):
        dataset.get_subset_(num_images)
    return dataset


def _common_classes(dataset: BaseDataset, teacher: Teacher) -> tuple[ClassAlignment, list[str]]:
    names = dataset.metainfo['classes']
    alignment = align_classes(names, teacher.classes, len(names), _num_classes(teacher.model))
    return alignment, [names[index] for index in alignment.student]


def _num_classes(model: nn.Module) -> int:
    head = getattr(model, 'roi_head', model).bbox_head
    return (head[-1] if isinstance(head, nn.ModuleList) else head).num_classes


def _evaluator(config: Any, dataset: BaseDataset, classes: list[str]) -> Evaluator:
    evaluator = Evaluator(config)
    evaluator.dataset_meta = dict(dataset.metainfo, classes=tuple(classes))
    for metric in evaluator.metrics:
        if isinstance(metric, CocoMetric):
            # Without this, objects in the other images would count as missed.
            metric.img_ids = [
                info['img_id'] for info in map(dataset.get_data_info, range(len(dataset)))
            ]
            metric.metrics = ['bbox']
            metric.format_only, metric.outfile_prefix = False, None
    return evaluator


@torch.no_grad()
def _predict(teacher: Teacher, loader: Any, labels: torch.Tensor, evaluator: Evaluator) -> None:
    with teacher.contiguous():
        for batch in loader:
            samples = teacher.model.test_step(batch)
            for sample in samples:
                instances = sample.pred_instances
                instances.labels = labels[instances.labels]
                sample.pred_instances = instances[instances.labels >= 0]
            evaluator.process(samples, batch)


def _mean_average_precision(evaluator: Evaluator, num_images: int) -> float:
    values = evaluator.evaluate(num_images)
    if not values and any(isinstance(metric, CocoMetric) for metric in evaluator.metrics):
        # CocoMetric gives no values if there is no detection at all.
        return 0.0
    value = next((values[key] for key in values if key.endswith(('mAP', '_AP'))), None)
    if value is None or value < 0:
        raise ArgumentError(
            'teacher.verify got no mAP: val_evaluator gave '
            f'{", ".join(f"{key} = {values[key]}" for key in values) or "nothing"}. Use a metric '
            'with mAP and, where it is negative, more images (num_images): the first '
            'ones show no object of the common classes.'
        )
    return value
