"""The example as its user runs it: the wheel, MMDetection's tools, and nothing of the checkout."""

from __future__ import annotations

import json
import shutil
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import mmdet
import pytest
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_kdrank.checkpoints.loading import load_checkpoint
from tests.packages import NOT_TRACKED, ROOT, run, unpacked_sdist
from tests.tools.conftest import scalars

pytestmark = pytest.mark.slow

TOOLS = Path(mmdet.__file__).parent / '.mim' / 'tools'
# An untrained detector's scores are below MMDetection's threshold.
SHORT = [
    '--cfg-options',
    *('train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'default_hooks.checkpoint.interval=2'),
    *('default_hooks.logger.interval=1', 'model.test_cfg.rcnn.score_thr=0.0'),
]
PROBE = """
import json, sys, mmdet_kdrank
print(json.dumps([mmdet_kdrank.__file__, sys.path, [str(finder) for finder in sys.meta_path]]))
"""
TEACHER = """
from mmengine.config import Config
print(Config.fromfile('own.py').model.teacher.config)
"""


@dataclass(frozen=True)
class Project:
    """A copy of the example, and the virtual environment into which the wheel was installed."""

    folder: Path
    environment: Path

    @property
    def executable(self) -> Path:
        return self.environment / 'bin' / 'python'

    def python(self, *arguments: str | Path, **variables: str) -> str:
        return run([self.executable, *arguments], cwd=self.folder, PYTHONPATH='.', **variables)


def create_environment(folder: Path) -> None:
    """Make a virtual environment that sees the packages of this one, but not its .pth files.

    These make editable installs take effect. setuptools' own alone is kept: MMEngine imports
    distutils.
    """
    run([sys.executable, '-m', 'venv', '--without-pip', folder], cwd=folder.parent)
    (packages,) = folder.glob('lib/python*/site-packages')
    stack = Path(sysconfig.get_path('purelib'))
    (packages / 'a_stack.pth').write_text(f'{stack}\n')
    shutil.copy(stack / 'distutils-precedence.pth', packages)


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp('wheel')
    offline = ('--no-deps', '--no-index', '--no-build-isolation')
    command = [sys.executable, '-m', 'pip', 'wheel', *offline, '--wheel-dir', folder]
    run([*command, unpacked_sdist(folder)], cwd=folder)
    (wheel,) = folder.glob('*.whl')
    return wheel


@pytest.fixture(scope='module')
def project(wheel, tmp_path_factory):
    """The example after two iterations of the teacher and two of the student."""
    folder = tmp_path_factory.mktemp('example')
    example = ROOT / 'examples' / 'custom_dataset'
    shutil.copytree(example, folder / 'project', ignore=NOT_TRACKED)
    project = Project(folder / 'project', folder / 'environment')
    create_environment(project.environment)
    into = ('--python', project.executable, 'install', '--no-deps', '--no-index')
    run([sys.executable, '-m', 'pip', *into, wheel], cwd=folder)
    project.python('make_data.py', '--num-train', '8', '--num-val', '4')
    project.python(TOOLS / 'train.py', 'configs/teacher.py', *SHORT)
    teacher = 'model.teacher.checkpoint=work_dirs/teacher/iter_2.pth'
    project.python(TOOLS / 'train.py', 'configs/distilled.py', *SHORT, teacher)
    return project


def test_the_wheel_serves_every_python_and_holds_nothing_foreign(wheel):
    assert wheel.name.split('-')[2:4] == ['cp310', 'abi3']
    files = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    info = f'{"-".join(wheel.name.split("-")[:2])}.dist-info'
    assert {file.parts[0] for file in files} == {'mmdet_kdrank', info}
    assert Path('mmdet_kdrank/ops/_native.abi3.so') in files
    assert Path('mmdet_kdrank/.mim/model-index.yml') in files


def test_nothing_of_the_checkout_is_imported(project):
    file, path, finders = json.loads(project.python('-W', 'ignore', '-c', PROBE).splitlines()[-1])
    assert Path(file).is_relative_to(project.environment)
    assert ROOT not in {(project.folder / entry).resolve() for entry in path}
    assert not any('editable' in finder.lower() for finder in finders)


def test_the_projects_annotations_keep_what_the_boxes_show(project):
    data = project.folder / 'data'
    files = (data / 'badges_train.json', data / 'shapes/annotations/instances_train.json')
    own, shapes = (json.loads(file.read_text()) for file in files)

    def names(content):
        classes = {category['id']: category['name'] for category in content['categories']}
        return {item['id']: classes[item['category_id']] for item in content['annotations']}

    known = {category['name'] for category in own['categories']}
    assert names(own) == {key: name for key, name in names(shapes).items() if name in known}
    assert {item['image_id'] for item in own['annotations']} == {i['id'] for i in own['images']}


def test_their_loss_and_ours_are_logged(project):
    lines = scalars(project.folder / 'work_dirs' / 'distilled')
    assert [line['step'] for line in lines] == [1, 2]
    for line in lines:
        assert line['loss_hellinger'] > 0
        assert line['loss_rank'] > 0
        assert -1 <= line['distill_tau'] <= 1


def test_the_checkpoint_is_a_plain_student_of_three_classes(project):
    stock = Config.fromfile(project.folder / 'configs/student.py', import_custom_modules=False)
    model = MODELS.build(stock.model)
    checkpoint = load_checkpoint(str(project.folder / 'work_dirs/distilled/iter_2.pth'))
    model.load_state_dict(checkpoint['state_dict'], strict=True)
    assert model.roi_head.bbox_head.num_classes == 3
    classes = ('star-hollow-blue', 'circle-solid-red', 'triangle-striped-yellow')
    assert tuple(checkpoint['meta']['dataset_meta']['classes']) == classes


def test_the_stock_config_evaluates_it(project):
    checkpoint = 'work_dirs/distilled/iter_2.pth'
    threshold = ('--cfg-options', 'model.test_cfg.rcnn.score_thr=0.0')
    output = project.python(TOOLS / 'test.py', 'configs/student.py', checkpoint, *threshold)
    assert 'coco/bbox_mAP:' in output


def test_the_installed_configs_serve_as_bases(project):
    """From a path in the environment, with what they themselves inherit and refer to."""
    base = '{{$KDRANK_CONFIGS:}}/shapes/faster-rcnn_r18w32-r18w16_kd-rank_shapes.py'
    (project.folder / 'own.py').write_text(f'_base_ = {base!r}\n')
    configs = next(project.environment.glob('lib/python*/site-packages/mmdet_kdrank/.mim/configs'))
    output = project.python('-W', 'ignore', '-c', TEACHER, KDRANK_CONFIGS=str(configs))
    teacher = output.splitlines()[-1]
    assert Path(teacher).resolve() == configs / 'shapes/faster-rcnn_r18w32_shapes.py'
