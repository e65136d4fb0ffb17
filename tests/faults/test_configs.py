"""Faulty configs, found when the model is built or when training starts."""

from __future__ import annotations

import pytest

from tests.detectors import KD, RANK, RETINA, small_config
from tests.faults.config_builders import TEACHER, constructed, loaded, losses
from tests.faults.table import LEFT_OUT

CONFIG_FAULTS = {
    # The keys of the distiller
    'a misspelt distill_losses': constructed(
        r'no argument distil_losses\. Did you mean distill_losses\?',
        TypeError,
        distil_losses=dict(loss_kd=KD),
        distill_losses=LEFT_OUT,
        fix=dict(distil_losses=LEFT_OUT, distill_losses=dict(loss_kd=KD)),
    ),
    'a misspelt selector': constructed(
        r'no argument selectr\. Did you mean selector\?',
        TypeError,
        selectr=dict(type='TopkSamples'),
        fix=dict(selectr=LEFT_OUT, selector=dict(type='TopkSamples')),
    ),
    'a misspelt loss': constructed(
        r'loss_x: .*KendalRankLoss.*Did you mean KendallRankLoss\?',
        KeyError,
        **losses(loss_x=dict(type='KendalRankLoss')),
        fix=losses(loss_x=RANK),
    ),
    'a misspelt argument of a loss': constructed(
        r"loss_x: .*'stepness'.*Did you mean steepness\?",
        TypeError,
        **losses(loss_x=dict(RANK, stepness=2)),
        fix=losses(loss_x=dict(RANK, steepness=2)),
    ),
    'no teacher': constructed(
        r'teacher=None must be a dict: give', TypeError, teacher=None, fix=dict(teacher=TEACHER)
    ),
    'teacher a path': constructed(
        "teacher='a.pth' must be a dict", TypeError, teacher='a.pth', fix=dict(teacher=TEACHER)
    ),
    'teacher without config': constructed(
        'config is unknown or missing', teacher=dict(checkpoint='a'), fix=dict(teacher=TEACHER)
    ),
    'teacher without checkpoint': constructed(
        'checkpoint is unknown or missing', teacher=dict(config='a.py'), fix=dict(teacher=TEACHER)
    ),
    'teacher with ckpt': constructed(
        'checkpoint, ckpt is unknown or missing',
        teacher=dict(config='a.py', ckpt='b'),
        fix=dict(teacher=TEACHER),
    ),
    'teacher with a misspelt key': constructed(
        'check_point, checkpoint is unknown or missing. Did you mean checkpoint?',
        teacher=dict(config='a.py', check_point='b'),
        fix=dict(teacher=TEACHER),
    ),
    'teacher.config a number': constructed(
        'teacher.config=3 is a int. Give a path',
        TypeError,
        teacher=dict(config=3, checkpoint='b'),
        fix=dict(teacher=TEACHER),
    ),
    'teacher.checkpoint None': constructed(
        'teacher.checkpoint=None is a NoneType. Give a path or a URL',
        TypeError,
        teacher=dict(config='a.py', checkpoint=None),
        fix=dict(teacher=TEACHER),
    ),
    'auto of a file': constructed(
        "checkpoint='auto'.*Give the path or URL",
        teacher=dict(config='a.py', checkpoint='auto'),
        fix=dict(teacher=TEACHER),
    ),
    'verify a word': constructed(
        "teacher.verify='yes' is unknown. Give True",
        teacher=dict(config='a.py', checkpoint='b', verify='yes'),
        fix=dict(teacher=dict(TEACHER, verify=True)),
    ),
    'verify with another key': constructed(
        'teacher.verify=.*is unknown. Give True',
        teacher=dict(config='a.py', checkpoint='b', verify=dict(floor=0.1)),
        fix=dict(teacher=dict(TEACHER, verify=True)),
    ),
    'verify on no image': constructed(
        'num_images=0 must be a whole number',
        teacher=dict(config='a.py', checkpoint='b', verify=dict(num_images=0)),
        fix=dict(teacher=dict(TEACHER, verify=dict(num_images=1))),
    ),
    'verify in per cent': constructed(
        'min_map=40 must be a number between 0 and 1',
        teacher=dict(config='a.py', checkpoint='b', verify=dict(min_map=40)),
        fix=dict(teacher=dict(TEACHER, verify=dict(min_map=0.4))),
    ),
    'channels': constructed(
        "channels must be 'all' or 'foreground'",
        channels='background',
        fix=dict(channels='foreground'),
    ),
    'priors': constructed(
        "priors='point' is unknown; choose one of cell, same",
        priors='point',
        fix=dict(priors='cell'),
    ),
    'selector': constructed(
        'selector: .*NoSuch.*Correct',
        KeyError,
        selector=dict(type='NoSuch'),
        fix=dict(selector=dict(type='TopkSamples')),
    ),
    'selector without type': constructed(
        'selector: .*type.*Correct',
        KeyError,
        selector=dict(k=1),
        fix=dict(selector=dict(type='TopkSamples', k=1)),
    ),
    'selector a word': constructed(
        'selector: .*Correct',
        TypeError,
        selector='TopkSamples',
        fix=dict(selector=dict(type='TopkSamples')),
    ),
    'selector with an argument': constructed(
        'selector: .*top.*Correct',
        TypeError,
        selector=dict(type='TopkSamples', top=3),
        fix=dict(selector=dict(type='TopkSamples', k=3)),
    ),
    'selector of no row': constructed(
        'selector: k=0 must be',
        selector=dict(type='TopkSamples', k=0),
        fix=dict(selector=dict(type='TopkSamples', k=1)),
    ),
    'no losses': constructed(
        'distill_losses=None must be a dict', TypeError, distill_losses=None, fix=losses(loss_kd=KD)
    ),
    'a list of losses': constructed(
        'must be a dict of', TypeError, distill_losses=[KD], fix=losses(loss_kd=KD)
    ),
    'a loss that is not summed': constructed(
        'kd: MMEngine adds up only.*loss_kd', **losses(kd=KD), fix=losses(loss_kd=KD)
    ),
    'a loss with a dot': constructed(
        'Rename it, say loss_', **losses(**{'loss.kd': KD}), fix=losses(loss_kd=KD)
    ),
    'an unknown loss': constructed(
        'loss_x: .*NoSuchLoss.*Correct',
        KeyError,
        **losses(loss_x=dict(type='NoSuchLoss')),
        fix=losses(loss_x=KD),
    ),
    'a loss without type': constructed(
        'loss_x: .*type.*Correct', KeyError, **losses(loss_x=dict(T=1)), fix=losses(loss_x=KD)
    ),
    'a loss that is no dict': constructed(
        'loss_x: .*Correct', TypeError, **losses(loss_x='KD'), fix=losses(loss_x=KD)
    ),
    'a loss with another argument': constructed(
        'loss_x: .*tau.*Correct',
        TypeError,
        **losses(loss_x=dict(type='KendallRankLoss', tau=1)),
        fix=losses(loss_x=RANK),
    ),
    'a loss out of range': constructed(
        'loss_x: steepness=0 must',
        **losses(loss_x=dict(type='KendallRankLoss', steepness=0)),
        fix=losses(loss_x=dict(RANK, steepness=1)),
    ),
    'a loss that asserts': constructed(
        'distill_losses.loss_kd: .*Correct the type',
        **losses(loss_kd=dict(KD, T=0)),
        fix=losses(loss_kd=dict(KD, T=1)),
    ),
    'a loss with weights': constructed(
        'loss_x: Linear has weights of its own.*Use a loss without',
        **losses(loss_x=dict(type='Linear', in_features=1, out_features=1)),
        fix=losses(loss_x=KD),
    ),
    'an unknown student': constructed(
        "student_type='NoSuch' is not in the registry.*Give",
        KeyError,
        student_type='NoSuch',
        fix=dict(student_type='RetinaNet'),
    ),
    'a student of another family': constructed(
        "student_type='FasterRCNN' is no SingleStageDetector",
        student_type='FasterRCNN',
        fix=dict(student_type='RetinaNet'),
    ),
    'a student that distils': constructed(
        'is a distilling detector itself. Give',
        student_type='DistillSingleStageDetector',
        fix=dict(student_type='RetinaNet'),
    ),
    'a student with queries': constructed(
        'DeformableDETR cannot be distilled: its queries', student_type='DeformableDETR'
    ),
    'an argument that the student lacks': constructed(
        'SingleStageDetector takes no argument depth. Keep',
        TypeError,
        depth=3,
        fix=dict(depth=LEFT_OUT),
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
}


@pytest.mark.parametrize('name', CONFIG_FAULTS)
def test_config_fault(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CONFIG_FAULTS[name].check(tmp_path)
