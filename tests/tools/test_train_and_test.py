"""From a COCO config to a COCO mAP table on real pictures, through the tools."""

from __future__ import annotations

from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.hub import get_config

from tests.tools.conftest import scalars

TWO_STAGE = 'faster_rcnn/faster-rcnn_r101-r18_kd-rank_1x_coco.py'
DENSE = 'retinanet/retinanet_r101-r18_kd-rank_1x_coco.py'
STOCK = {
    TWO_STAGE: 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    DENSE: 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
}
LOGGED = {'loss_kd', 'loss_rank', 'distill_tau', 'distill_top1'}


def load_strictly(name: str, checkpoint: Path) -> None:
    """Load a checkpoint in the stock detector, which knows nothing of distillation."""
    model = get_config(STOCK[name]).model
    model.backbone.update(depth=18, init_cfg=None)
    model.neck.in_channels = [64, 128, 256, 512]
    state = torch.load(checkpoint, map_location='cpu')['state_dict']
    MODELS.build(model).load_state_dict(state, strict=True)


@pytest.mark.slow
@pytest.mark.parametrize('name', [TWO_STAGE, DENSE])
def test_training_logs_and_writes_a_plain_student(name, trained):
    run = trained(name)
    assert [line['step'] for line in scalars(run.work_dir)] == [1, 2]
    assert all(line.keys() >= LOGGED for line in scalars(run.work_dir))
    assert list(run.work_dir.rglob('events.out.tfevents.*'))
    load_strictly(name, run.work_dir / 'epoch_1.pth')


@pytest.mark.slow
@pytest.mark.parametrize('name', [TWO_STAGE, DENSE])
def test_evaluation_needs_no_teacher(name, trained):
    run = trained(name)
    hidden = run.teacher.rename(run.teacher.with_suffix('.away'))
    try:
        output = run.test(run.work_dir / 'epoch_1.pth')
    finally:
        hidden.rename(run.teacher)
    assert 'Average Precision  (AP) @[ IoU=0.50:0.95' in output
    assert 'coco/bbox_mAP:' in output


@pytest.mark.slow
def test_resume_goes_on(trained, tmp_path):
    run = trained(DENSE)
    checkpoint = run.work_dir / 'epoch_1.pth'
    more = ('--resume', str(checkpoint), '--cfg-options', 'train_cfg.max_epochs=2')
    run.train(*more, work_dir=tmp_path)
    assert [line['step'] for line in scalars(tmp_path)] == [3, 4]
    assert (tmp_path / 'epoch_2.pth').is_file()


@pytest.mark.slow
def test_mmdetections_own_tool_trains_the_same(trained, tmp_path):
    """custom_imports in the config registers the package, from any folder."""
    run = trained(TWO_STAGE)
    tool = Path(mmdet.__file__).parent / '.mim' / 'tools' / 'train.py'
    run.train(tool=tool, cwd=tmp_path, work_dir=tmp_path / 'work')
    for ours, theirs in zip(scalars(run.work_dir), scalars(tmp_path / 'work'), strict=True):
        for key in LOGGED | {'loss'}:
            assert ours[key] == theirs[key], key


@pytest.mark.slow
@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="MMEngine's AmpOptimWrapper refuses to run on a CPU"
)
def test_amp(small_run, tmp_path):
    small_run(TWO_STAGE).train('--amp', work_dir=tmp_path)
    assert all(line.keys() >= LOGGED for line in scalars(tmp_path))
