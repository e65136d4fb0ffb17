"""Faulty configs, through the moments at which a run meets them."""

from __future__ import annotations

import pytest
from mmdet.registry import MODELS
from mmengine.logging import MessageHub
from torch import nn

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
from tests.faults.table import Fault

NAMES = tuple('abcde')


def constructed(message, kind=ValueError, student=RETINA, **options):
    """Found when the model is built."""

    def make(folder):
        teacher = dict(config='teacher.py', checkpoint='teacher.pth')
        MODELS.build(
            {**distiller_config(small_config(student), {}, ''), 'teacher': teacher, **options}
        )

    return Fault(make, message, kind)


def loaded(message, kind=ValueError, text=None, **teacher):
    """Found when training starts, before the training set is asked for a batch."""

    def make(folder):
        if text is not None:
            (folder / teacher['config']).write_text(text)
        config = distiller_config(small_config(RETINA), {}, '')
        config.teacher = dict(checkpoint='teacher.pth', **teacher)
        MODELS.build(config).init_weights()

    return Fault(make, message, kind)


def compared(
    message, kind=ValueError, student=RETINA, teacher=None, classes=None, names=None, **options
):
    """Found on the first batch, before anything is learnt from it.

    ``student`` and ``teacher`` are names of stock configs, or pairs of one and a change of it;
    ``classes`` the teacher's class names, ``names`` the training set's.
    """

    def make(folder):
        ours, theirs = _changed(student), _changed(teacher or student)
        path = save_teacher(theirs, folder / 'teacher.pth', meta=dict(classes=classes))
        if names is not None:
            MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=names))
        model = MODELS.build(distiller_config(ours, theirs, path, **options))
        model.init_weights()
        training_losses(model, num_classes=1)

    return Fault(make, message, kind)


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


CONFIG_FAULTS = {
    # The keys of the distiller
    'no teacher': constructed(r'teacher=None must be a dict: give', TypeError, teacher=None),
    'teacher a path': constructed("teacher='a.pth' must be a dict", TypeError, teacher='a.pth'),
    'teacher without config': constructed(
        'config is unknown or missing', teacher=dict(checkpoint='a')
    ),
    'teacher without checkpoint': constructed(
        'checkpoint is unknown or missing', teacher=dict(config='a.py')
    ),
    'teacher with ckpt': constructed(
        'checkpoint, ckpt is unknown or missing', teacher=dict(config='a.py', ckpt='b')
    ),
    'teacher with a misspelt key': constructed(
        'check_point, checkpoint is unknown or missing. Did you mean checkpoint?',
        teacher=dict(config='a.py', check_point='b'),
    ),
    'teacher.config a number': constructed(
        'teacher.config=3 is a int. Give a path', TypeError, teacher=dict(config=3, checkpoint='b')
    ),
    'teacher.checkpoint None': constructed(
        'teacher.checkpoint=None is a NoneType. Give a path or a URL',
        TypeError,
        teacher=dict(config='a.py', checkpoint=None),
    ),
    'auto of a file': constructed(
        "checkpoint='auto'.*Give the path or URL", teacher=dict(config='a.py', checkpoint='auto')
    ),
    'verify a word': constructed(
        "teacher.verify='yes' is unknown. Give True",
        teacher=dict(config='a.py', checkpoint='b', verify='yes'),
    ),
    'verify with another key': constructed(
        'teacher.verify=.*is unknown. Give True',
        teacher=dict(config='a.py', checkpoint='b', verify=dict(floor=0.1)),
    ),
    'verify on no image': constructed(
        'num_images=0 must be a whole number',
        teacher=dict(config='a.py', checkpoint='b', verify=dict(num_images=0)),
    ),
    'verify in per cent': constructed(
        'min_map=40 must be a number between 0 and 1',
        teacher=dict(config='a.py', checkpoint='b', verify=dict(min_map=40)),
    ),
    'channels': constructed("channels must be 'all' or 'foreground'", channels='background'),
    'priors': constructed("priors='point' is unknown; choose one of cell, same", priors='point'),
    'selector': constructed('selector: .*NoSuch.*Correct', KeyError, selector=dict(type='NoSuch')),
    'selector without type': constructed('selector: .*type.*Correct', KeyError, selector=dict(k=1)),
    'selector a word': constructed('selector: .*Correct', TypeError, selector='TopkSamples'),
    'selector with an argument': constructed(
        'selector: .*top.*Correct', TypeError, selector=dict(type='TopkSamples', top=3)
    ),
    'selector of no row': constructed(
        'selector: k=0 must be', selector=dict(type='TopkSamples', k=0)
    ),
    'no losses': constructed('distill_losses=None must be a dict', TypeError, distill_losses=None),
    'a list of losses': constructed('must be a dict of', TypeError, distill_losses=[KD]),
    'a loss that is not summed': constructed('kd: MMEngine adds up only.*loss_kd', **losses(kd=KD)),
    'a loss with a dot': constructed('Rename it, say loss_', **losses(**{'loss.kd': KD})),
    'an unknown loss': constructed(
        'loss_x: .*NoSuchLoss.*Correct', KeyError, **losses(loss_x=dict(type='NoSuchLoss'))
    ),
    'a loss without type': constructed(
        'loss_x: .*type.*Correct', KeyError, **losses(loss_x=dict(T=1))
    ),
    'a loss that is no dict': constructed('loss_x: .*Correct', TypeError, **losses(loss_x='KD')),
    'a loss with another argument': constructed(
        'loss_x: .*tau.*Correct', TypeError, **losses(loss_x=dict(type='KendallRankLoss', tau=1))
    ),
    'a loss out of range': constructed(
        'loss_x: steepness=0 must', **losses(loss_x=dict(type='KendallRankLoss', steepness=0))
    ),
    'a loss that asserts': constructed(
        'distill_losses.loss_kd: .*Correct the type', **losses(loss_kd=dict(KD, T=0))
    ),
    'a loss with weights': constructed(
        'loss_x: Linear has weights of its own.*Use a loss without',
        **losses(loss_x=dict(type='Linear', in_features=1, out_features=1)),
    ),
    'an unknown student': constructed(
        "student_type='NoSuch' is not in the registry.*Give", KeyError, student_type='NoSuch'
    ),
    'a student of another family': constructed(
        "student_type='FasterRCNN' is no SingleStageDetector", student_type='FasterRCNN'
    ),
    'a student that distils': constructed(
        'is a distilling detector itself. Give', student_type='DistillSingleStageDetector'
    ),
    'a student with queries': constructed(
        'DeformableDETR cannot be distilled: its queries', student_type='DeformableDETR'
    ),
    'an argument that the student lacks': constructed(
        'SingleStageDetector takes no argument depth. Keep', TypeError, depth=3
    ),
    # The teacher's config
    'absent file': loaded(
        'teacher.config .*: .*absent.py.*Correct the name', FileNotFoundError, config='absent.py'
    ),
    'a file that is no Python': loaded(
        'teacher.config .*: .*Correct the name', text='model = dict(', config='teacher.py'
    ),
    'a file of another kind': loaded(
        'teacher.config .*: .*Correct', text='a = 1', config='teacher.cfg'
    ),
    'a file without a model': loaded(
        'has no model with a type: give', text='lr = 1', config='teacher.py'
    ),
    'a model without a type': loaded('no model with a type', config=dict(backbone=dict(depth=18))),
    'an unknown config of MMDetection': loaded(
        'teacher.config .*: .*no_such.*Correct', FileNotFoundError, config='mmdet::no/no_such.py'
    ),
    'an unknown package': loaded(
        r'teacher.config \(nobody::a.py\): .*Correct', config='nobody::a.py'
    ),
    'an unknown detector': loaded(
        'teacher.config .*: .*NoSuchDetector.*Give', KeyError, config=dict(type='NoSuchDetector')
    ),
    'an unknown backbone': loaded(
        'teacher.config .*: .*NoSuchNet.*Give',
        KeyError,
        config=dict(small_config(RETINA), backbone=dict(type='NoSuchNet')),
    ),
    'an argument that the teacher lacks': loaded(
        'teacher.config .*: .*depth.*Give', TypeError, config=dict(small_config(RETINA), depth=3)
    ),
    # Student against teacher
    'the other family': compared(
        'The teacher is a FasterRCNN.*Choose a teacher', student=RETINA, teacher=FASTER
    ),
    'other numbers of stages': compared(
        "has 1 stages, the teacher's 3. Choose", student=FASTER, teacher=CASCADE
    ),
    'another activation': compared(
        'mean different things. Choose', student=FASTER, teacher=(FASTER, sigmoid)
    ),
    'a softmax of cells': compared(
        "priors='cell'.*Use priors='same'", student=(RETINA, softmax), priors='cell'
    ),
    'more classes without names': compared(
        'student has 5 classes, the teacher 7.*names are unknown.*Give',
        teacher=(RETINA, classes(7)),
    ),
    'no class in common': compared(
        'no class name in common.*Use a teacher', classes=NAMES, names=tuple('vwxyz')
    ),
    'more names than classes': compared(
        'student has 6 class names.*head of 5.*Set num_classes',
        classes=NAMES,
        names=tuple('abcdef'),
    ),
    'fewer names than classes of the teacher': compared(
        'teacher has 4 class names.*head of 5', classes=NAMES[:4], names=NAMES
    ),
    'one class in common': compared(
        "channels='all' leaves one column.*Give", classes=tuple('avwxy'), names=NAMES
    ),
    'one class': compared('leaves one column', student=(RETINA, classes(1))),
    'foreground of one class': compared(
        "channels='foreground' leaves one column",
        student=FASTER,
        classes=tuple('avwxy'),
        names=NAMES,
        channels='foreground',
    ),
    'other levels': compared(
        "head has 5 levels, the teacher's 4. Give", teacher=(RETINA, fewer_levels)
    ),
    'other strides': compared(
        'different priors on level 0.*Give',
        teacher=(RETINA, anchors(strides=[4, 8, 16, 32, 64])),
    ),
    'other ratios': compared('with 3 a cell', teacher=(RETINA, anchors(ratios=[1.0]))),
    'other scales': compared(
        'different priors on level 0.*Give', teacher=(RETINA, anchors(octave_base_scale=8))
    ),
    'points against anchors': compared('different priors.*MlvlPoint', teacher=FCOS),
    'cells of other strides': compared(
        'strides.*Give both the same strides',
        teacher=(RETINA, anchors(strides=[4, 8, 16, 32, 64])),
        priors='cell',
    ),
    'other padding': compared(
        'multiples of 32, the teacher needs multiples of 64. Set',
        teacher=(RETINA, preprocessor(pad_size_divisor=64)),
    ),
    'an unknown normalisation': compared(
        'StrangePreprocessor, whose normalisation is not known.*Give',
        teacher=(RETINA, preprocessor(type='StrangePreprocessor')),
    ),
    'a name that the student uses': compared(
        'distill_losses has loss_cls.*Give the entry another name', **losses(loss_cls=KD)
    ),
    'logits that are not finite': compared(
        "teacher's logits behind loss_kd.*are not finite.*check the teacher",
        FloatingPointError,
        teacher=(RETINA, preprocessor(std=[1e-38, 1e-38, 1e-38])),
    ),
}


@pytest.mark.parametrize('name', CONFIG_FAULTS)
def test_config_fault(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CONFIG_FAULTS[name].check(tmp_path)
