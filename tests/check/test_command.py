"""The check of a config, as users run it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from mmdet.models import DetDataPreprocessor
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_kdrank.check.command import main
from tests.datasets.made import CLASSES, Data
from tests.detectors import (
    CASCADE,
    FASTER,
    RETINA,
    distiller_config,
    save_teacher,
    small_config,
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes the config of a distillation and returns its path."""
    monkeypatch.chdir(tmp_path)

    def write(name=RETINA, change=lambda model: None, **options):
        student, teacher = (small_config(name, width, num_classes=2) for width in (4, 8))
        meta = dict(dataset_meta=dict(classes=CLASSES))
        checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth', meta=meta)
        model = distiller_config(student, teacher, checkpoint, **options)
        change(model)
        data = Data(tmp_path)
        loader = dict(
            data.config['train_dataloader'],
            batch_size=8,
            num_workers=2,
            persistent_workers=True,
            sampler=dict(type='InfiniteSampler'),
        )
        imports = dict(imports=['mmdet_kdrank', 'tests.distillers.test_path_check'])
        config = Config(dict(model=model, train_dataloader=loader, custom_imports=imports))
        config.dump(tmp_path / 'config.py')
        return str(tmp_path / 'config.py')

    return write


@pytest.mark.parametrize('name', [RETINA, FASTER, CASCADE])
@pytest.mark.parametrize('data', [[], ['--random']])
def test_a_config_that_is_ready(write, capsys, name, data):
    assert main([write(name), *data]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith('\nready\n')
    assert 'classes: 2 in common, of 2 of the student and 2 of the teacher' in printed
    assert 'identity (student = teacher): loss_kd 0, top-1 1.000' in printed
    activation = 'sigmoid' if name == RETINA else 'softmax'
    assert printed.count(f'{activation} logits, 2 classes') == (6 if name == CASCADE else 2)
    stages = [line for line in printed.splitlines() if line.startswith('head ')]
    assert len(stages) == (3 if name == CASCADE else 1)
    assert all('chosen, normaliser' in line for line in stages)


def test_a_config_that_is_wrong(write, capsys):
    config = write()
    assert main([config, '--cfg-options', 'model.distill_losses.loss_kd.T=0']) == 1
    printed = capsys.readouterr().out
    assert 'not ready: ArgumentError: distill_losses.loss_kd: the condition' in printed
    assert 'ready' not in printed.replace('not ready', '')


def test_a_detector_that_gates_its_features(write, capsys):
    config = write(change=lambda model: model.teacher.config.update(type='GatedRetinaNet'))
    assert main([config]) == 1
    assert 'GatedRetinaNet.predict does more than' in capsys.readouterr().out


class OtherBatch(DetDataPreprocessor):
    """Takes one dict for all images, as MMYOLO's does."""

    def forward(self, data, training=False):
        assert isinstance(data['data_samples'], dict)


def test_a_random_batch_that_the_project_cannot_take(write, capsys):
    MODELS.register_module(module=OtherBatch, force=True)
    config = write(change=lambda model: model.data_preprocessor.update(type='OtherBatch'))
    assert main([config, '--random']) == 1
    assert 'This project takes another batch: leave --random out.' in capsys.readouterr().out


def test_features_alone(write, capsys):
    features = dict(loss_pkd=dict(type='PKDLoss', levels=[1, 2]))
    assert main([write(distill_losses={}, distill_features=features)]) == 0
    printed = capsys.readouterr().out
    assert 'identity: no class logits are compared' in printed
    assert 'loss_pkd: ' in printed


def test_a_config_without_a_teacher(write, capsys):
    assert main([write(change=lambda model: model.pop('teacher'))]) == 1
    assert (
        'not ready: ArgumentTypeError: The config has no model.teacher' in capsys.readouterr().out
    )


def test_an_error_of_other_code_has_its_place(write, capsys):
    config = write()
    assert main([config, '--cfg-options', 'train_dataloader.dataset.ann_file=absent.json']) == 1
    printed = capsys.readouterr()
    assert 'not ready: FileNotFoundError' in printed.out
    assert 'Traceback' in printed.err


def test_the_heads_are_listed_on_request(capsys):
    assert main(['--heads']) == 0
    assert 'RetinaHead' in capsys.readouterr().out.split()


def test_it_is_a_module_to_run():
    command = [sys.executable, '-m', 'mmdet_kdrank.check']
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert 'name a config file, or --heads' in result.stderr


def test_the_teacher_may_lie_next_to_the_config(write, capsys, tmp_path, monkeypatch):
    config = write(change=lambda model: model.teacher.update(checkpoint='teacher.pth'))
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')
    assert main([config, '--random']) == 0, capsys.readouterr()
