"""Whole runs that end in a fault: before the first step, in one line, and nothing to trip on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmdet_kdrank.errors import KDRankError
from tests.detectors import FASTER, save_teacher, small_config
from tests.shapes_runs import CLASSES, save_oracle, shapes_config, train

ROOT = Path(__file__).parents[2]
TRAIN = ROOT / 'tools' / 'train.py'


@pytest.fixture
def run(tmp_path):
    """The folder of a good run that has not begun."""
    teacher = small_config(FASTER, num_classes=len(CLASSES))
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    config = shapes_config(tmp_path, dict(config=teacher, checkpoint=checkpoint))
    config.dump(tmp_path / 'config.py')
    return tmp_path


def launch(folder, *options, command=(sys.executable, str(TRAIN)), **variables):
    return subprocess.run(
        [*command, str(folder / 'config.py'), *options],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': f'{ROOT}:{folder}', 'OMP_NUM_THREADS': '1', **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def annotations(change):
    def break_it(folder):
        file = folder / 'data' / 'annotations' / 'instances_train.json'
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content))

    return break_it


def nan_box(content):
    content['annotations'][0]['bbox'][0] = float('nan')


def first_image(folder):
    return sorted((folder / 'data' / 'train').iterdir())[0]


RUN_FAULTS = {
    'no annotation file': (
        lambda folder: (folder / 'data/annotations/instances_train.json').unlink(),
        [],
        r'MissingFileError: Annotation file .*instances_train.json does not exist. Correct',
    ),
    'a box with NaN': (annotations(nan_box), [], r'DataError: .*annotation .* has the box \[nan'),
    'an absent image': (
        lambda folder: first_image(folder).unlink(),
        [],
        r'MissingFileError: Image .*data/train/.* does not exist. Add the image',
    ),
    'an HTML page as teacher': (
        lambda folder: (folder / 'teacher.pth').write_text('<!DOCTYPE html>'),
        [],
        'CheckpointError: Checkpoint .*teacher.pth is an HTML or XML page',
    ),
    'an unknown loss': (
        lambda folder: None,
        ['--cfg-options', 'model.distill_losses.loss_rank.type=NoSuchLoss'],
        'UnknownNameError: distill_losses.loss_rank: .*NoSuchLoss',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', RUN_FAULTS)
def test_the_tool_ends_with_one_line(name, run):
    break_it, options, message = RUN_FAULTS[name]
    break_it(run)
    done = launch(run, *options)
    assert done.returncode == 1
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith('mmdet_kdrank.errors.'), done.stdout[-3000:]
    pytest.raises(KDRankError, raise_text, last).match(message)
    assert 'Iter(train)' not in done.stdout
    assert not list(run.rglob('*/iter_*.pth'))


def raise_text(text):
    raise KDRankError(text)


@pytest.mark.slow
def test_resume_after_the_mend(run):
    """What a refused run leaves is no obstacle."""
    teacher = (run / 'teacher.pth').read_bytes()
    (run / 'teacher.pth').write_bytes(teacher[:-100])
    assert launch(run).returncode == 1
    (run / 'teacher.pth').write_bytes(teacher)
    done = launch(run, '--resume')
    assert done.returncode == 0, done.stdout[-3000:]
    assert (run / 'work' / 'iter_2.pth').is_file()


@pytest.mark.slow
def test_the_look_at_the_data_can_be_left_out(run):
    annotations(lambda content: content['annotations'].append(dict(content['annotations'][0])))(run)
    done = launch(run, '--skip-data-check')
    assert 'mmdet_kdrank.errors.DataError' not in done.stdout
    assert 'are not unique' in done.stdout, 'what MMDetection itself says of it'


def test_a_damaged_image_is_named(tmp_path):
    """At that image: nothing reads them all before."""
    teacher = small_config(FASTER, num_classes=len(CLASSES))
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    config = shapes_config(tmp_path, dict(config=teacher, checkpoint=checkpoint))
    for image in (tmp_path / 'data' / 'train').iterdir():
        image.write_bytes(b'no picture')
    with pytest.raises(Exception, match=r'data/train/\w+\.\w+'):
        train(config)
    assert not list(tmp_path.glob('work/iter_*.pth'))


@pytest.mark.slow
@pytest.mark.parametrize('perfect', [True, False])
def test_all_ranks_agree_on_the_teacher(tmp_path, perfect):
    """Each evaluates its share of three images, and both go on or stop."""
    renamed = list(range(len(CLASSES))) if perfect else [-1] * len(CLASSES)
    teacher = save_oracle(
        tmp_path / 'teacher.pth', CLASSES, renamed=renamed, verify=dict(num_images=3)
    )
    config = shapes_config(tmp_path, teacher)
    config.custom_imports = dict(imports=['mmdet_kdrank', 'tests.shapes_runs'])
    config.dump(tmp_path / 'config.py')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    command = (sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2')
    command += (f'--master_port={port}', str(TRAIN))
    done = launch(tmp_path, '--launcher=pytorch', command=command, CUDA_VISIBLE_DEVICES='')
    verdict = 'mAP 1.000' if perfect else 'was refused: mAP 0.000'
    assert f'{verdict} on the first 3 validation images' in done.stdout, done.stdout[-4000:]
    assert (done.returncode == 0) == perfect, done.stdout[-6000:]
    # Which of them prints its error first ends the other one.
    assert (tmp_path / 'work' / 'iter_2.pth').is_file() == perfect
