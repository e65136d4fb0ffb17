import json
import os

import torch

from mmdet_kdrank.runs.provenance import cpu_count, provenance


def test_names_machine_versions_and_date():
    found = provenance()
    assert found['versions']['torch'] == torch.__version__
    assert {'mmdet_kdrank', 'mmcv', 'mmdet', 'mmengine', 'numpy'} <= set(found['versions'])
    assert found['hardware'].startswith(f'{cpu_count()} x ')
    assert found['date'].endswith('+00:00')
    json.dumps(found)


def test_count_of_processors_is_that_of_this_process():
    assert 1 <= cpu_count() <= os.cpu_count()
