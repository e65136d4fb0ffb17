import logging

import pytest

from experiments.claims.quiet import quiet


def test_only_announcements_are_held_back(capsys, caplog):
    logger = logging.getLogger('mmengine')
    with quiet():
        print('read a file')
        logger.info('drew a weight')
        logger.warning('something is wrong')
    print('after')
    assert capsys.readouterr().out == 'after\n'
    assert [record.message for record in caplog.records] == ['something is wrong']


def test_an_error_ends_the_silence():
    before = logging.root.manager.disable
    with pytest.raises(ValueError), quiet():
        raise ValueError
    assert logging.root.manager.disable == before
