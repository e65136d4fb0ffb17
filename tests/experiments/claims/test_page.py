import json

import pytest

from experiments.claims import agreement, optima, scale
from experiments.claims.page import page_of
from tests.experiments.claims.sets import ROOT

RECORD = json.loads((ROOT / 'docs' / 'reports' / 'data' / 'claims.json').read_text())


def test_the_page_in_the_docs_is_that_of_the_data():
    assert (ROOT / 'docs' / 'reports' / 'claims.md').read_text() == page_of(RECORD)


@pytest.mark.parametrize('module', [agreement, optima, scale], ids=lambda each: each.__name__)
def test_a_verdict_that_cites_numbers_has_those_of_the_data(module):
    key = module.__name__.rsplit('.', 1)[-1]
    [claim] = [claim for claim in RECORD['claims'] if claim['key'] == key]
    assert claim['limits'] == module.limits(claim['data'])


def test_every_picture_is_there():
    page = page_of(RECORD)
    pictures = {part.split(')')[0] for part in page.split('](images/')[1:]}
    assert len(pictures) == len(RECORD['claims'])
    assert all((ROOT / 'docs' / 'reports' / 'images' / name).is_file() for name in pictures)


def test_what_fails_is_told_as_plainly():
    claim = dict(RECORD['claims'][0], verdict='fails')
    claim['checks'] = [dict(claim['checks'][0], value=12.5, met=False)]
    page = page_of({**RECORD, 'claims': [claim]})
    assert '| **fails** | 0 of 1 |' in page
    assert '| 12.5 | at most 0.1 | **no** |' in page


def test_random_logits_alone_are_called_that():
    page = page_of({**RECORD, 'logits': {'source': 'random logits alone'}})
    assert 'no trained pair was looked at' in page
    assert 'foreground rows' not in page
