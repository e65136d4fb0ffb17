from types import SimpleNamespace

import pytest

from mmdet_kdrank.errors import DataError
from mmdet_kdrank.report import command as cli


def command(outcome):
    def run(args):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if args.root == 'checkout' else None

    def add_parser(subparsers):
        subparsers.add_parser('look').set_defaults(func=run)

    return SimpleNamespace(add_parser=add_parser)


@pytest.mark.parametrize('status', [0, 3])
def test_the_commands_status_is_the_tools(monkeypatch, status):
    monkeypatch.setattr(cli, 'COMMANDS', [command(status)])
    assert cli.main('checkout', ['look']) == status


def test_an_error_of_this_package_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(cli, 'COMMANDS', [command(DataError('No rows. Give more.'))])
    assert cli.main('checkout', ['look']) == 1
    assert capsys.readouterr().err == 'No rows. Give more.\n'


def test_other_errors_are_not_hidden(monkeypatch):
    monkeypatch.setattr(cli, 'COMMANDS', [command(ZeroDivisionError())])
    with pytest.raises(ZeroDivisionError):
        cli.main('checkout', ['look'])


@pytest.mark.parametrize('arguments', [[], ['unknown']])
def test_a_command_must_be_named(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main('checkout', arguments)
    assert exit.value.code == 2
    assert 'COMMAND' in capsys.readouterr().err
