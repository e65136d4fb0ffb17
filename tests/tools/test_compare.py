"""A comparison through the tool: killed in the middle, gone on with, and asked again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
SHAPES = ROOT / 'configs' / 'shapes'
TEACHER = SHAPES / 'faster-rcnn_r18w32_shapes.py'
SHORT = {
    'train_cfg.max_iters': 4,
    'train_cfg.val_interval': 1000,
    'param_scheduler.0.end': 1,
    'param_scheduler.1.end': 4,
    'param_scheduler.1.T_max': 4,
    'default_hooks.checkpoint.interval': 2,
    'default_hooks.logger.interval': 1,
    'train_dataloader.batch_size': 2,
}


def start(plan: Path) -> subprocess.Popen:
    command = [sys.executable, str(ROOT / 'tools' / 'compare.py'), '--plan', str(plan)]
    environment = dict(os.environ, OMP_NUM_THREADS='1')
    # Not the shell's: interrupts of a background job are ignored there.
    return subprocess.Popen(
        [*command, '--jobs', '2'],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(plan: Path) -> str:
    process = start(plan)
    out, _ = process.communicate(timeout=900)
    assert process.returncode == 0, out
    return out


def wait_for(path: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 600
    while not path.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, f'{path} did not appear'
        time.sleep(0.1)


def starts(work: Path, kind: str) -> dict[str, int]:
    return {
        str(path.parent.relative_to(work)): json.loads(path.read_text())['starts']
        for path in work.glob(f'*/seed*/{kind}.json')
    }


@pytest.mark.slow
def test_killed_comparison_goes_on_and_is_not_done_twice(tmp_path):
    work = tmp_path / 'work'
    weights = tmp_path / 'teacher.pth'
    torch.save({'state_dict': MODELS.build(Config.fromfile(TEACHER).model).state_dict()}, weights)
    teacher = {'model.teacher.config': str(TEACHER), 'model.teacher.checkpoint': str(weights)}
    variants = dict(
        alone=dict(config=str(SHAPES / 'faster-rcnn_r18w16_shapes.py')),
        kd=dict(
            config=str(SHAPES / 'faster-rcnn_r18w32-r18w16_kd_shapes.py'),
            options=teacher,
        ),
    )
    content = dict(name='tiny', seeds=2, variants=variants, options=SHORT, work_dir=str(work))
    content['shapes'] = dict(num_train=6, num_val=3)
    plan = tmp_path / 'plan.py'
    plan.write_text(''.join(f'{key} = {value!r}\n' for key, value in content.items()))

    process = start(plan)
    wait_for(work / 'alone' / 'seed0' / 'result.json', process)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130, out
    assert 'The same command goes on from here' in out
    interrupted = starts(work, 'train')
    assert interrupted['alone/seed0'] == 1
    assert not (work / 'kd' / 'seed1' / 'result.json').exists()

    out = finish(plan)
    assert '| kd − alone | 2 |' in out
    assert starts(work, 'train').keys() == {f'{v}/seed{s}' for v in variants for s in (0, 1)}
    assert starts(work, 'train')['alone/seed0'] == 1
    results = json.loads((work / 'results.json').read_text())
    assert results['runs_done'] == 4
    for variant in variants:
        for seed in ('0', '1'):
            result = results['variants'][variant]['runs'][seed]
            assert result['iterations'] == 4 and -1 <= result['tau'] <= 1
            assert result['peak_memory_mib'] > 100 and result['seconds_per_iteration'] > 0

    before = starts(work, 'train'), starts(work, 'evaluate')
    assert '4 runs, 4 kept' in finish(plan)
    assert before == (starts(work, 'train'), starts(work, 'evaluate'))
