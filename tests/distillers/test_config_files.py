import runpy
import sys
from pathlib import Path

import mmdet
import pytest
from mmengine.config import Config

from mmdet_kdrank.distillers.config_files import (
    KEEP_IMPORTS,
    assert_imports_kept,
    base_files,
    teacher_options,
)

TRAIN = Path(mmdet.__file__).parent / '.mim' / 'tools' / 'train.py'


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f'{name}.py').write_text(text)
    return str(folder / f'{name}.py')


def test_bases_of_both_kinds_of_config(tmp_path):
    stock = Path(mmdet.__file__).parent / '.mim/configs/retinanet/retinanet_r50_fpn_1x_coco.py'
    text = write(tmp_path, a='x = 1\n', b=f"_base_ = ['a.py', 'mmdet::retinanet/{stock.name}']\n")
    assert [Path(file).resolve() for file in base_files(text)] == [tmp_path / 'a.py', stock]
    lazy = write(
        tmp_path / 'deep',
        own='from mmengine.config import read_base\n'
        'with read_base():\n    from .near import *\n    from ..a import *\n'
        '    from mmdet.registry import *\n',
    )
    files = [Path(file).resolve() for file in base_files(lazy)]
    assert files == [tmp_path / 'deep/near.py', tmp_path / 'a.py', stock.parents[3] / 'registry.py']


@pytest.mark.parametrize(
    ('imports', 'dropped'),
    [
        ('', False),
        ("custom_imports = dict(imports=['mmdet_kdrank'])\n", True),
        (f'{KEEP_IMPORTS}\n', False),
        ("custom_imports = dict(imports=['json', 'string', 'mmdet_kdrank'])\n", False),
    ],
)
def test_imports_of_a_base(tmp_path, imports, dropped):
    base = "custom_imports = dict(imports=['string', 'json'], allow_failed_imports=False)\n"
    config = write(tmp_path, base=base, own=f"_base_ = 'base.py'\n{imports}")
    if dropped:
        with pytest.raises(ValueError, match='string, json would not be imported') as caught:
            assert_imports_kept(config)
        assert KEEP_IMPORTS in str(caught.value)
    else:
        assert_imports_kept(config)


def test_the_line_that_is_printed_keeps_both(tmp_path):
    base = "custom_imports = dict(imports=['string', 'json'])\n"
    config = write(tmp_path, base=base, own=f"_base_ = 'base.py'\n{KEEP_IMPORTS}\n")
    assert Config.fromfile(config).custom_imports.imports == ['string', 'json', 'mmdet_kdrank']


def test_paths_of_the_teacher_are_those_of_the_working_folder_first(tmp_path, monkeypatch):
    folder, work = tmp_path / 'configs', tmp_path / 'work'
    work.mkdir()
    (folder / 'sub').mkdir(parents=True)
    for file in (folder / 'both.py', work / 'both.py', folder / 'sub' / 'own.pth'):
        file.write_text('')
    monkeypatch.chdir(work)
    config = str(folder / 'distilled.py')

    def options(**teacher):
        return teacher_options(Config(dict(model=dict(teacher=teacher))), config)

    assert options(config='both.py', checkpoint='sub/own.pth') == [
        f'model.teacher.checkpoint={folder}/sub/own.pth'
    ]
    assert options(config='mmdet::both.py', checkpoint='https://host/own.pth') == []
    assert options(config=dict(type='RetinaNet'), checkpoint='auto') == []
    assert options(config='absent.py', checkpoint='absent.pth') == []
    (work / 'both.py').unlink()
    found = options(config='both.py', checkpoint='absent.pth')
    monkeypatch.setattr(sys, 'argv', ['train.py', config, '--cfg-options', *found])
    assert runpy.run_path(str(TRAIN))['parse_args']().cfg_options == {
        'model.teacher.config': f'{folder}/both.py'
    }


def test_a_config_without_a_teacher_has_no_paths():
    assert teacher_options(Config(dict(lr=1)), 'a.py') == []
