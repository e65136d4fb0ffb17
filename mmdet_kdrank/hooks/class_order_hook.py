"""Comparing the classes of a checkpoint with those of the test set."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop

from mmdet_kdrank.checkpoints.detector_weights import checkpoint_meta
from mmdet_kdrank.datasets.annotation_file import listed
from mmdet_kdrank.errors import DataError


@HOOKS.register_module()
class ClassOrderHook(Hook):
    """Refuses a test set whose labels mean other classes than those of the checkpoint.

    MMDetection compares label numbers alone, so that such an evaluation ends with a low mAP, or
    with an IndexError. This project's ``tools/test.py`` adds the hook. It does nothing where the
    checkpoint names no classes, or the test set gives the class names to the detector.

    Raises:
        ValueError: Before the first image, if a class has another number in the checkpoint, or the
            test set has fewer classes.

    Example:
        >>> HOOKS.build(dict(type='ClassOrderHook')).priority
        'NORMAL'
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare them."""
        if not isinstance(runner._test_loop, BaseLoop):
            return
        dataset = runner.test_loop.dataloader.dataset
        trained = _classes_of(checkpoint_meta(checkpoint).get('dataset_meta'))
        tested = _classes_of(getattr(dataset, 'metainfo', None))
        if not (trained and tested) or getattr(dataset, 'return_classes', False):
            return
        number = {name: index for index, name in enumerate(tested)}
        moved = [name for index, name in enumerate(trained) if number.get(name, index) != index]
        if moved or len(tested) < len(trained):
            raise DataError(
                f'The checkpoint was trained with the classes {listed(trained, 12)}, but the test '
                f'set has {listed(tested, 12)}: a label would mean two classes. Set '
                'test_dataloader.dataset.metainfo=dict(classes=…) to those of the checkpoint, in '
                "their order, and reorder 'categories' in the annotation file to it."
            )


def _classes_of(metainfo: object) -> list[str]:
    classes = metainfo.get('classes') if isinstance(metainfo, Mapping) else None
    return list(classes) if isinstance(classes, (list, tuple)) else []
