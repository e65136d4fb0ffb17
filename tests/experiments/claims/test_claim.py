import pytest

from experiments.claims.claim import FAILS, HOLDS, PARTLY, Check, Claim, number

GOOD = Check('small', 0.5, '<=', 1)
BAD = Check('large', 0.5, '>=', 1)


@pytest.mark.parametrize(
    'checks, verdict', [([GOOD, GOOD], HOLDS), ([GOOD, BAD], PARTLY), ([BAD, BAD], FAILS)]
)
def test_the_verdict_follows_from_the_checks(checks, verdict):
    claim = Claim('key', 'statement', 'source', checks, 'limits')
    assert claim.verdict == verdict
    assert claim.record()['verdict'] == verdict
    assert [check['met'] for check in claim.record()['checks']] == [c.met for c in checks]


@pytest.mark.parametrize('relation', ['<=', '>='])
def test_what_is_not_a_number_meets_no_bound(relation):
    assert not Check('broken', float('nan'), relation, 1).met
    assert Check('on the bound', 1, relation, 1).met


def test_numbers_have_six_digits():
    assert number(1 / 3) == 0.333333
