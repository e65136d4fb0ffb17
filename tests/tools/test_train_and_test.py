"""From a COCO config to a COCO mAP table on real pictures, through the tools."""

from __future__ import annotations

from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.hub import get_config

from tests.tools.conftest import ROOT, scalars

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
def test_train_test_resume(name, small_run):
    run = small_run(name)
    run.train('--tensorboard')
    assert [line['step'] for line in scalars(run.work_dir)] == [1, 2]
    assert all(line.keys() >= LOGGED for line in scalars(run.work_dir))
    assert list(run.work_dir.rglob('events.out.tfevents.*'))
    checkpoint = run.work_dir / 'epoch_1.pth'
    load_strictly(name, checkpoint)

    hidden = run.teacher.rename(run.teacher.with_suffix('.away'))
    output = run.test(checkpoint)
    assert 'Average Precision  (AP) @[ IoU=0.50:0.95' in output
    assert 'coco/bbox_mAP:' in output

    hidden.rename(run.teacher)
    run.train('--resume', '--cfg-options', 'train_cfg.max_epochs=2')
    assert [line['step'] for line in scalars(run.work_dir)] == [1, 2, 3, 4]
    assert (run.work_dir / 'epoch_2.pth').is_file()


@pytest.mark.slow
def test_mmdetections_own_tool_trains_the_same(small_run, tmp_path):
    """custom_imports in the config registers the package, from any folder."""
    run = small_run(TWO_STAGE)
    run.train(cwd=tmp_path, tool=Path(mmdet.__file__).parent / '.mim' / 'tools' / 'train.py')
    theirs = scalars(run.work_dir)
    (run.work_dir).rename(run.work_dir.with_name('theirs'))
    run.train(tool=ROOT / 'tools' / 'train.py')
    assert len(theirs) == 2
    for ours, other in zip(scalars(run.work_dir), theirs, strict=True):
        for key in LOGGED | {'loss'}:
            assert ours[key] == other[key], key


@pytest.mark.slow
@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="MMEngine's AmpOptimWrapper refuses to run on a CPU"
)
def test_amp(small_run):
    run = small_run(TWO_STAGE)
    run.train('--amp')
    assert all(line.keys() >= LOGGED for line in scalars(run.work_dir))
