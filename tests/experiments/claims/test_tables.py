import pytest

from experiments.claims.tables import cell


@pytest.mark.parametrize(
    'value, text',
    [(0.0, '0'), (0.1234, '0.123'), (12.34, '12.3'), (1.23e-9, '1.2e-09'), (45678.9, '4.6e+04')],
)
def test_numbers_are_short(value, text):
    assert cell(value) == text
