from pathlib import Path

import mmdet
import pytest

from experiments.survey.configs import CONFIGS
from experiments.survey.page import page_of
from experiments.survey.table import COLUMNS, read_rows

DOCS = Path(__file__).parents[3] / 'docs' / 'reports'


def row(config, result='works', **columns):
    values = dict(config=config, result=result, family='single-stage', run=config, mmdet='3.3.0')
    return dict.fromkeys(COLUMNS, '') | values | columns


@pytest.fixture(scope='module')
def rows():
    return read_rows(DOCS / 'supported_detectors.csv')


def test_configs_are_counted_by_folder_kind_and_reason():
    page = page_of(
        [
            row('retinanet/a.py', detector='RetinaNet', head='RetinaHead'),
            row('retinanet/b.py', detector='RetinaNet', head='RetinaHead', run='retinanet/a.py'),
            row('detr/c.py', 'refused', family='other', detector='DETR', reason='queries | differ'),
            row('common/d.py', 'not run', family='', reason='no model', run=''),
        ]
    )
    assert '| retinanet | RetinaNet | RetinaHead | 2 |' in page
    assert r'| detr | DETR | 1 | queries \| differ |' in page
    assert '| common | 1 | no model |' in page
    assert '| **All** | 2 | 1 | 1 |' in page
    assert '2 runs' in page and 'MMDetection 3.3.0' in page


def test_the_page_is_made_from_the_table(rows):
    page = (DOCS / 'supported_detectors.md').read_text(encoding='utf-8')
    assert page == page_of(rows), 'run tools/survey_detectors.py --report'


@pytest.mark.skipif(mmdet.__version__ != '3.3.0', reason='the table is of MMDetection 3.3.0')
def test_the_table_has_every_config_of_mmdetection_and_no_failure(rows):
    shipped = {
        str(path.relative_to(CONFIGS))
        for path in CONFIGS.rglob('*.py')
        if '_base_' not in path.relative_to(CONFIGS).parts
    }
    assert sorted(row['config'] for row in rows) == sorted(shipped)
    assert {row['result'] for row in rows} == {'works', 'refused', 'not run'}
    assert all(row['reason'] for row in rows if row['result'] != 'works')
