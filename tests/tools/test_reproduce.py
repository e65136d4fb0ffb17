"""docs/tutorials/reproduce.md: its commands run; its addresses and figures are the sources'."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path

import pytest
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.hub import get_config

from tests.configs.files import COCO
from tests.detectors import save_teacher, small_config
from tests.docs.pages import blocks
from tests.tools.conftest import ROOT, call
from tools.results_table import last_evaluation

PAGE = ROOT / 'docs/tutorials/reproduce.md'
SIZE = (160, 128)
# What a command is given on the page, and in the dry run: GPUs become two processes on the CPU, one
# in the long loop, and the last checkpoint comes sooner.
REPLACED = [
    (r'(dist_train\.sh configs/\$\{PAIR\}\S+) 8\b', r'\1 1'),
    (r'(dist_train\.sh \S+) [48]\b', r'\1 2'),
    (r'(dist_test\.sh \S+ \S+) 8\b', r'\1 2'),
    (r'epoch_12\.pth', 'epoch_1.pth'),
    (r'iter_180000\.pth', 'iter_2.pth'),
]
# Packs what an address of COCO's stands for.
CURL = """#!{python}
import sys, zipfile
from pathlib import Path
name = sys.argv[-1].rpartition('/')[2]
folder = name.removesuffix('.zip').replace('_trainval2017', '')
root = Path({coco!r})
with zipfile.ZipFile(name, 'w') as archive:
    for file in (root / folder).iterdir():
        archive.write(file, file.relative_to(root))
"""
# Tells its options, and runs the task once, without what MMEngine would ask Slurm.
SRUN = """#!/usr/bin/env bash
while [[ "$1" == --* ]]; do echo "srun $1"; shift; done
exec "${@/--launcher=slurm/--launcher=none}"
"""


def shrink(name: str, teacher: dict, checkpoint: str) -> Config:
    """A shipped config on a few small pictures for two iterations, with a narrow teacher."""
    config = Config.fromfile(ROOT / 'configs' / name)
    config.model.backbone.init_cfg = None
    config.model.teacher = dict(config=teacher, checkpoint=checkpoint)
    if 'rcnn' in config.model.train_cfg:
        config.model.train_cfg.rpn_proposal.max_per_img = 64
        config.model.train_cfg.rcnn.sampler.num = 32
        config.model.test_cfg.rpn.max_per_img = 20
        config.model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=20)
    else:
        config.model.test_cfg.update(score_thr=0.0, nms_pre=50, max_per_img=20)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.indices = 4
        for step in loader.dataset.pipeline:
            if step.type == 'Resize':
                step.scale = SIZE
    if 'max_iters' in config.train_cfg:
        config.train_cfg.update(max_iters=2, val_interval=2)
        config.default_hooks.checkpoint.interval = 2
    else:
        config.train_cfg.max_epochs = 1
    config.default_hooks.logger.interval = 1
    return config


@pytest.fixture(scope='module')
def checkout(coco_root, tmp_path_factory) -> Path:
    """A folder with our tools and small configs under the shipped names, without data."""
    register_all_modules(init_default_scope=True)
    folder = tmp_path_factory.mktemp('checkout')
    (folder / 'tools').symlink_to(ROOT / 'tools')
    teachers: dict[str, tuple] = {}
    for name in COCO:
        if not re.search(r'_kd(-rank)?_(1x|180k)_coco\.py$', name) or 'mask' in name:
            continue
        family = name.partition('/')[0]
        if family not in teachers:
            stock = Config.fromfile(ROOT / 'configs' / name).model.teacher.config
            teacher = small_config(stock.removeprefix('mmdet::'), width=8, num_classes=80)
            teachers[family] = teacher, save_teacher(teacher, folder / f'{family}.pth')
        (folder / 'configs' / family).mkdir(parents=True, exist_ok=True)
        shrink(name, *teachers[family]).dump(folder / 'configs' / name)
    (folder / 'bin').mkdir()
    for program, text in (
        ('curl', CURL.format(python=sys.executable, coco=str(coco_root))),
        ('srun', SRUN),
    ):
        (folder / 'bin' / program).write_text(text)
        (folder / 'bin' / program).chmod(0o755)
    return folder


def run(commands: str, folder: Path) -> str:
    """Run a block of the page in the checkout; its output, once it has succeeded."""
    for pattern, replacement in REPLACED:
        commands = re.sub(pattern, replacement, commands)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    return call(
        ['bash', '-euo', 'pipefail', '-c', commands],
        cwd=folder,
        PATH=os.pathsep.join(
            [str(folder / 'bin'), str(Path(sys.executable).parent), os.environ['PATH']]
        ),
        CUDA_VISIBLE_DEVICES='',
        PORT=port,
    )


@pytest.mark.soak
def test_every_command_runs(checkout):
    output = []
    for block in blocks(PAGE, 'sh'):
        if 'model.teacher.verify' in block.text:
            # As a teacher with random weights should be.
            with pytest.raises(AssertionError, match=r'was refused: mAP 0\.0.*min_map=0\.3'):
                run(block.text, checkout)
        else:
            output.append((block.text, run(block.text, checkout)))

    def of(text: str) -> str:
        (found,) = (out for commands, out in output if text in commands)
        return found

    # Two pictures in one process and in two, where the schedule is written for sixteen.
    (single,) = (out for text, out in output if text.startswith('python tools/train.py'))
    assert 'Scaling the original LR by 0.125.' in single
    assert 'Scaling the original LR by 0.25.' in of('4 --auto-scale-lr')
    slurm = of('slurm_train.sh')
    assert 'srun --ntasks=8' in slurm and 'srun --partition=PARTITION' in slurm

    runs = {path.name: last_evaluation(path) for path in (checkout / 'work_dirs').iterdir()}
    assert all(runs.values()), runs
    wanted = {Path(name).stem for name in COCO if re.search(r'_kd(-rank)?_1x_coco\.py$', name)}
    assert {name for name in wanted if 'mask' not in name} <= runs.keys()
    assert {'faster-rcnn_r18_alone_1x_coco', 'retinanet_r101-r18_kd-rank_180k_coco'} <= runs.keys()

    # The empty table of the page is what the last command fills in.
    table = [line for line in of('results_table.py').splitlines() if line.startswith('|')]
    empty = [line for line in PAGE.read_text().splitlines() if line.startswith('| run |')]
    assert empty == table[:1]
    assert len(table) == len(runs) + 2
    # tools/test.py prints the same names.
    tested = of('tools/test.py $CONFIG')
    names = table[0].strip('| ').split(' | ')[2:]
    assert names and all(f'{name}: ' in tested for name in names)


def test_the_empty_table_has_a_row_a_run_of_the_loop():
    page = PAGE.read_text()
    (loop,) = (block.text for block in blocks(PAGE, 'sh') if 'for PAIR in' in block.text)
    pairs = re.findall(r'\w+/(\w+(?:-\w+)*_r\d+-\w+)', loop)
    rows = re.findall(r'^\| (\S+) \| not yet \|', page, re.MULTILINE)
    assert rows == [f'{pair}_{loss}_1x_coco' for pair in pairs for loss in ('kd', 'kd-rank')]


def test_addresses_of_teachers_are_the_configs_and_those_of_the_model_index():
    page = PAGE.read_text()
    listed = dict(re.findall(r'\| `(mmdet::\S+)` \| [\d.]+ \| \[\w+\]\((\S+)\) \|', page))
    files = sorted((ROOT / 'configs/_base_/teachers').glob('*.py'))
    teachers = [Config.fromfile(file).teacher for file in files]
    carried = {teacher.config: teacher.checkpoint for teacher in teachers}
    assert listed == {key: value for key, value in carried.items() if 'mask' not in key}
    for config, url in listed.items():
        assert get_config(config, pretrained=True).model_path == url
