import json

import numpy as np
import pytest

from mmdet_kdrank.compare.coco import evaluate_boxes
from mmdet_kdrank.compare.experiment import RESULT, SAMPLES, runs_of
from mmdet_kdrank.compare.plan import read_plan
from tests.compare.fabricated import CLASSES, FoundRows, annotations, detections, open_coco

CONFIG = """
model = dict(type='Detector', rpn_head=dict(feat_channels=16))
train_dataloader = dict(
    batch_size=4, dataset=dict(data_root='data/', ann_file='annotations/train.json')
)
val_dataloader = dict(dataset=dict(data_root='data/', ann_file='annotations/val.json'))
test_dataloader = dict(dataset=dict(data_root='data/', ann_file='annotations/val.json'))
val_evaluator = dict(type='CocoMetric', ann_file='data/annotations/val.json')
test_evaluator = dict(type='CocoMetric', ann_file='data/annotations/val.json')
train_cfg = dict(max_iters=9)
default_hooks = dict(checkpoint=dict(by_epoch=False))
"""
DISTILLED = (
    "_base_ = 'alone.py'\nmodel = dict(teacher=dict(config='teacher.py', checkpoint='t.pth'))"
)


@pytest.fixture
def configs(tmp_path):
    """Folder with configs of no real detectors: alone, kd and teacher."""
    folder = tmp_path / 'configs'
    folder.mkdir()
    for name, text in (('alone', CONFIG), ('kd', DISTILLED), ('teacher', CONFIG)):
        (folder / f'{name}.py').write_text(text)
    return folder


@pytest.fixture
def variant(configs):
    """Make an entry of ``variants``."""

    def make(config=None, **options):
        return dict(config=config or str(configs / 'alone.py'), options=options)

    return make


@pytest.fixture
def write_plan(tmp_path, configs):
    """Write a plan with them; keywords replace its entries, None removes one."""

    def write(**changes):
        content = dict(
            name='tiny',
            seeds=2,
            shapes=dict(seed=1, num_train=8, num_val=4),
            options={'train_cfg.max_iters': 4},
            teacher=dict(config=str(configs / 'teacher.py'), options={'train_cfg.max_iters': 6}),
            variants={name: dict(config=str(configs / f'{name}.py')) for name in ('alone', 'kd')},
            work_dir=str(tmp_path / 'work'),
        )
        content |= changes
        path = tmp_path / 'plan.py'
        lines = [f'{key} = {value!r}\n' for key, value in content.items() if value is not None]
        path.write_text(''.join(lines))
        return path

    return write


@pytest.fixture
def finish():
    """Leave what a finished run leaves, on fabricated images; noise makes its boxes worse."""

    def leave(run, noise, images=12):
        content = annotations(images=images, seed=7)
        table = detections(content, seed=run.seed, quality=noise, ties=False)
        measures, matches = evaluate_boxes(open_coco(content), CLASSES, FoundRows(table))
        rng = np.random.default_rng(run.seed)
        ids = np.array([each['image_id'] for each in content['annotations']])
        boxes = dict(
            box_image_id=ids,
            box_tau=(rng.uniform(-1, 1, len(ids)) - noise).astype(np.float32),
            box_top1=rng.random(len(ids)) > noise,
        )
        result = dict(
            **measures,
            ECE=0.25 + noise,
            tau=float(boxes['box_tau'].mean(dtype=float)),
            top1=float(boxes['box_top1'].mean()),
            seconds_per_iteration=0.5,
            peak_memory_mib=900.0,
            peak_cuda_memory_mib=None,
            iterations=4,
            starts=2 if run.variant == 'kd' else 1,
            commit=dict(training='abc', evaluation='abc'),
            date=f'2026-01-0{1 + run.seed}T10:00:00+00:00',
            hardware='2 x abacus' if run.seed else '3 x abacus',
            versions={'torch': '2.9'},
        )
        for job in run.jobs:
            job.folder.mkdir(parents=True, exist_ok=True)
            job._write_state(fingerprint=job.fingerprint, done=False, starts=1, commit='abc')
            job.mark_done()
        np.savez_compressed(run.training.folder / SAMPLES, **matches.arrays(), **boxes)
        (run.training.folder / RESULT).write_text(json.dumps(result))

    return leave


@pytest.fixture
def finished(write_plan, finish):
    """A plan of three seeds whose runs are done; those of ``kd`` find better boxes."""
    plan = read_plan(write_plan(seeds=3))
    runs = runs_of(plan)
    for run in runs:
        finish(run, noise=0.02 if run.variant == 'kd' else 0.15)
    return plan, runs
