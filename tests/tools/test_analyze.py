import json
import sys

import pytest

from tests.tools.conftest import ROOT, call

FASTER = 'faster_rcnn/faster-rcnn_r101-r18_kd-rank_1x_coco.py'
RETINA = 'retinanet/retinanet_r101-r18_kd-rank_1x_coco.py'


@pytest.mark.slow
@pytest.mark.parametrize('config', [FASTER, RETINA])
def test_looks_into_a_run_on_coco(trained, tmp_path, config):
    """The teacher is found in the student's config, and boxes are scaled to the network's input."""
    run = trained(config)
    command = [sys.executable, ROOT / 'tools' / 'analyze.py', 'confusion', run.work_dir]
    call([*command, run.work_dir, '--images', 3, '--device', 'cpu', '--out', tmp_path])
    found = json.loads((tmp_path / 'confusion.json').read_text())
    assert found['boxes'] > 0 and len(found['classes']) == 80
    assert all(len(each['counts']) == 80 for each in found['students'].values())
