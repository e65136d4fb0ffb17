import re
from pathlib import Path

import pytest

from bootstrap import docs, stamp
from bootstrap.errors import SetupError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with the pins, and a pip that only tells what it was asked for."""
    (tmp_path / 'requirements').mkdir()
    for name in docs.FILES:
        (tmp_path / 'requirements' / name).write_bytes((ROOT / 'requirements' / name).read_bytes())
    asked = []
    monkeypatch.setattr(docs, 'create_venv', lambda venv: venv.mkdir(exist_ok=True))
    monkeypatch.setattr(docs.pip, 'pip', lambda venv, *args: asked.append(args[-1]))
    return tmp_path, asked


def test_second_call_does_nothing_until_a_pin_changes(checkout):
    root, asked = checkout
    docs.set_up_docs(root)
    docs.set_up_docs(root)
    assert asked == [f'--requirement={root / "requirements/docs.txt"}']
    with (root / 'requirements/lint.txt').open('a') as file:
        file.write('# another\n')
    docs.set_up_docs(root)
    assert len(asked) == 2


def test_failed_installation_is_not_complete(checkout, monkeypatch):
    def fail(venv, *args):
        raise SetupError('no network')

    monkeypatch.setattr(docs.pip, 'pip', fail)
    with pytest.raises(SetupError):
        docs.set_up_docs(checkout[0])
    assert stamp.read(checkout[0] / docs.VENV) is None


def test_every_requirement_is_pinned_or_a_file_of_pins():
    lines = (ROOT / 'requirements/docs.txt').read_text().splitlines()
    included = [line.removeprefix('-r ') for line in lines if line.startswith('-r ')]
    assert included == list(docs.FILES[1:])
    pins = [line for line in lines if line[0] not in '#-']
    assert pins and all(re.fullmatch(r'[\w-]+==[\w.]+', pin) for pin in pins)
    # The site is built without what the package imports.
    assert not {'torch', 'mmcv', 'mmdet', 'mmengine'} & {pin.partition('==')[0] for pin in pins}
