"""What makes the rows of the tables of faulty configs, by the moment at which a run meets them."""

from __future__ import annotations

from pathlib import Path

from mmdet.registry import MODELS
from mmengine.logging import MessageHub
from torch import nn

from tests.detectors import (
    RETINA,
    distiller_config,
    save_teacher,
    small_config,
    training_losses,
)
from tests.faults.table import Fault, fault, kept

NAMES = tuple('abcde')
TEACHER = dict(config='teacher.py', checkpoint='teacher.pth')


def constructed(message, kind=ValueError, student=RETINA, fix=None, **options):
    """Found when the model is built; ``fix`` has the options that the message advises."""

    def build(**options):
        config = {**distiller_config(small_config(student), {}, ''), 'teacher': TEACHER}
        MODELS.build(kept({**config, **options}))

    return fault(build, message, kind, options, fix)


def loaded(message, kind=ValueError, text=None, **teacher):
    """Found when training starts, before the training set is asked for a batch."""

    def make(folder):
        if text is not None:
            (folder / teacher['config']).write_text(text)
        config = distiller_config(small_config(RETINA), {}, '')
        config.teacher = dict(checkpoint='teacher.pth', **teacher)
        MODELS.build(config).init_weights()

    return Fault(make, message, kind)


def compared(message, kind=ValueError, fix=None, **options):
    """Found on the first batch, before anything is learnt from it; options of :func:`step`."""
    return fault(step, message, kind, options, fix)


def step(student=RETINA, teacher=None, classes=None, names=None, **options):
    """Distil one batch.

    ``student`` and ``teacher`` are names of stock configs, or pairs of one and a change of it;
    ``classes`` the teacher's class names, ``names`` the training set's.
    """
    ours, theirs = _changed(student), _changed(teacher or student)
    path = save_teacher(theirs, Path('teacher.pth'), meta=dict(classes=classes))
    hub = MessageHub.get_current_instance()
    hub.runtime_info.pop('dataset_meta', None)
    if names is not None:
        hub.update_info('dataset_meta', dict(classes=names))
    model = MODELS.build(distiller_config(ours, theirs, path, **options))
    model.init_weights()
    training_losses(model, num_classes=1)


def _changed(config):
    if isinstance(config, str):
        return small_config(config)
    name, change = config
    config = small_config(name)
    change(config)
    return config


def head(**values):
    return lambda config: config.bbox_head.update(values)


def anchors(**values):
    return lambda config: config.bbox_head.anchor_generator.update(values)


def preprocessor(**values):
    return lambda config: config.data_preprocessor.update(values)


def fewer_levels(config):
    config.neck.num_outs = 4
    config.bbox_head.anchor_generator.strides = [8, 16, 32, 64]


def classes(number):
    return head(num_classes=number)


def sigmoid(config):
    config.roi_head.bbox_head.loss_cls.use_sigmoid = True


def softmax(config):
    config.bbox_head.loss_cls = dict(type='CrossEntropyLoss')


@MODELS.register_module(force=True)
class StrangePreprocessor(nn.Module):
    """Normalises in a way of its own."""

    def __init__(self, **_):
        super().__init__()


def losses(**entries):
    return dict(distill_losses=entries)
