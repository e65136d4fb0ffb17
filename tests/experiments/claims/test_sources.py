import pytest

from experiments.claims import command
from mmdet_kdrank.report import command as cli
from tests.experiments.claims.sets import ROOT, STORED


def fails(capsys, tmp_path, *arguments):
    arguments = ['claims', '--out', str(tmp_path / 'out'), *arguments]
    status = cli.main(tmp_path, arguments, extra=(command,))
    assert status == 1
    assert not (tmp_path / 'out').exists()
    return capsys.readouterr().err


def test_without_a_demo_the_message_says_what_makes_one(capsys, tmp_path):
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    message = fails(capsys, tmp_path)
    assert 'work_dirs/demo/student-alone/iter_1500.pth does not exist' in message
    assert '`make demo`' in message
    assert '--random' in message


@pytest.mark.parametrize(
    'arguments',
    [
        ['--random', '--logits', str(STORED)],
        ['--random', '--student', 'a.py', 'a.pth'],
        ['--logits', str(STORED), '--teacher', 'a.py', 'a.pth'],
    ],
)
def test_sources_exclude_each_other(capsys, tmp_path, arguments):
    assert 'Give one of' in fails(capsys, tmp_path, *arguments)


@pytest.mark.parametrize('side', ['--student', '--teacher'])
def test_half_a_pair_is_refused(capsys, tmp_path, side):
    assert 'go together' in fails(capsys, tmp_path, side, 'a.py', 'a.pth')


def test_a_missing_config_is_named(capsys, tmp_path):
    pair = ['--student', 'none.py', 'a.pth', '--teacher', 'b.py', 'b.pth']
    assert '--student none.py' in fails(capsys, tmp_path, *pair)


def test_options_that_need_a_pair_are_refused(capsys, tmp_path):
    message = fails(capsys, tmp_path, '--random', '--save-logits', str(tmp_path / 'x.npz'))
    assert '--save-logits' in message
    message = fails(capsys, tmp_path, '--random', '--cfg-options', 'a=1')
    assert '--cfg-options' in message
