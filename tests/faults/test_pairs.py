"""Students and teachers that do not fit together, found on the first batch."""

from __future__ import annotations

import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MessageHub

from mmdet_kdrank.errors import ArgumentError
from tests.detectors import (
    CASCADE,
    FASTER,
    FCOS,
    KD,
    RETINA,
    distiller_config,
    save_teacher,
    small_config,
    training_losses,
)
from tests.faults.config_builders import (
    NAMES,
    anchors,
    classes,
    compared,
    fewer_levels,
    losses,
    preprocessor,
    sigmoid,
    softmax,
)

PAIR_FAULTS = {
    'the other family': compared(
        'The teacher is a FasterRCNN.*Choose a teacher',
        student=RETINA,
        teacher=FASTER,
        fix=dict(teacher=RETINA),
    ),
    'other numbers of stages': compared(
        "has 1 stages, the teacher's 3. Choose",
        student=FASTER,
        teacher=CASCADE,
        fix=dict(teacher=FASTER),
    ),
    'another activation': compared(
        'mean different things. Choose',
        student=FASTER,
        teacher=(FASTER, sigmoid),
        fix=dict(teacher=FASTER),
    ),
    'a softmax of cells': compared(
        "priors='cell'.*Use priors='same'",
        student=(RETINA, softmax),
        priors='cell',
        fix=dict(priors='same'),
    ),
    'more classes without names': compared(
        'student has 5 classes, the teacher 7.*names are unknown.*Give',
        teacher=(RETINA, classes(7)),
        fix=dict(classes=tuple('abcdefg'), names=NAMES),
    ),
    'no class in common': compared(
        'no class name in common.*Use a teacher',
        classes=NAMES,
        names=tuple('vwxyz'),
        fix=dict(names=NAMES[::-1]),
    ),
    'more names than classes': compared(
        'student has 6 class names.*head of 5.*Set num_classes',
        classes=NAMES,
        names=tuple('abcdef'),
        fix=dict(names=NAMES),
    ),
    'fewer names than classes of the teacher': compared(
        r"teacher has 4 class names.*head of 5.*meta\['dataset_meta'\].* in its checkpoint",
        classes=NAMES[:4],
        names=NAMES,
        fix=dict(classes=NAMES),
    ),
    'one class in common': compared(
        "channels='all' leaves one column.*Give",
        classes=tuple('avwxy'),
        names=NAMES,
        fix=dict(classes=tuple('abwxy')),
    ),
    'one class': compared('leaves one column', student=(RETINA, classes(1))),
    'foreground of one class': compared(
        "channels='foreground' leaves one column",
        student=FASTER,
        classes=tuple('avwxy'),
        names=NAMES,
        channels='foreground',
        fix=dict(channels='all'),
    ),
    'other levels': compared(
        "head has 5 levels, the teacher's 4. Give",
        teacher=(RETINA, fewer_levels),
        fix=dict(teacher=RETINA),
    ),
    'other strides': compared(
        'different priors on level 0.*Give',
        teacher=(RETINA, anchors(strides=[4, 8, 16, 32, 64])),
        fix=dict(teacher=RETINA),
    ),
    'other ratios': compared(
        'with 3 a cell', teacher=(RETINA, anchors(ratios=[1.0])), fix=dict(teacher=RETINA)
    ),
    'other scales': compared(
        'different priors on level 0.*Give', teacher=(RETINA, anchors(octave_base_scale=8))
    ),
    'points against anchors': compared(
        'different priors.*MlvlPoint', teacher=FCOS, fix=dict(teacher=RETINA)
    ),
    'cells of other strides': compared(
        'strides.*Give both the same strides',
        teacher=(RETINA, anchors(strides=[4, 8, 16, 32, 64])),
        priors='cell',
        fix=dict(teacher=RETINA),
    ),
    'other padding': compared(
        'multiples of 32, the teacher needs multiples of 64. Set',
        teacher=(RETINA, preprocessor(pad_size_divisor=64)),
        fix=dict(student=(RETINA, preprocessor(pad_size_divisor=64))),
    ),
    'an unknown normalisation': compared(
        'StrangePreprocessor, whose normalisation is not known.*Give',
        teacher=(RETINA, preprocessor(type='StrangePreprocessor')),
        fix=dict(teacher=RETINA),
    ),
    'a name that the student uses': compared(
        'distill_losses has loss_cls.*Give the entry another name',
        **losses(loss_cls=KD),
        fix=losses(loss_kd=KD),
    ),
    'logits that are not finite': compared(
        "teacher's logits behind loss_kd.*are not finite.*check the teacher",
        FloatingPointError,
        teacher=(RETINA, preprocessor(std=[1e-38, 1e-38, 1e-38])),
        fix=dict(on_nonfinite='skip'),
    ),
}


@pytest.mark.parametrize('name', PAIR_FAULTS)
def test_pair_fault(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PAIR_FAULTS[name].check(tmp_path)


def test_class_names_of_the_teachers_checkpoint_are_corrected_or_removed_there(tmp_path):
    """They come before the metainfo of its config, which therefore is no remedy."""
    config = Config(dict(model=small_config(RETINA)))
    config.train_dataloader = dict(
        dataset=dict(type='CocoDataset', metainfo=dict(classes=NAMES), ann_file='a.json')
    )
    config.dump(tmp_path / 'teacher.py')
    meta = dict(dataset_meta=dict(classes=CocoDataset.METAINFO['classes']))
    path = save_teacher(small_config(RETINA), tmp_path / 'teacher.pth', meta=meta)
    MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=NAMES))

    def first_batch():
        options = distiller_config(small_config(RETINA), {}, path)
        options.teacher.config = str(tmp_path / 'teacher.py')
        model = MODELS.build(options)
        model.init_weights()
        training_losses(model, num_classes=1)
        return model.teacher_session.teacher.classes

    with pytest.raises(ArgumentError, match=r"80 class names .*a head of 5.*\['classes'\] in its"):
        first_batch()
    checkpoint = torch.load(path)
    checkpoint['meta']['dataset_meta']['classes'] = NAMES
    torch.save(checkpoint, path)
    assert first_batch() == NAMES
    del checkpoint['meta']['dataset_meta']
    torch.save(checkpoint, path)
    assert first_batch() == NAMES
