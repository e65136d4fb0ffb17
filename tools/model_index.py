#!/usr/bin/env python
"""Write ``model-index.yml`` and ``configs/*/metafile.yml`` from the configs.

They list the configs in Open MMLab's format, one metafile per folder. Call it again when a config
is added, removed or gets another schedule, teacher or losses. ``--check`` only says whether that is
necessary.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest import mock

import mmdet
import yaml
from mmengine.config import Config, utils

ROOT = Path(__file__).resolve().parents[1]
HEADER = '# Written by tools/model_index.py: change the configs, then call it again.\n'
PAPER = {
    'URL': 'https://arxiv.org/abs/2409.17823',
    'Title': "Enhancing Logits Distillation with Plug&Play Kendall's tau Ranking Loss",
}
OWN_FOLDERS = {'shapes': ('Shapes', 'docs/tutorials/demo.md')}
"""Collection name and page of the folders that MMDetection does not have."""
DATA_SETS = {'CocoDataset': 'COCO', 'ShapesDataset': 'Shapes'}


def update(root: Path, check: bool = False) -> list[Path]:
    """Update the files from the configs.

    Args:
        root: Checkout with ``configs/``.
        check: Whether to change no file.

    Returns:
        The files that are out of date, or were, relative to ``root``.
    """
    wanted = index(root)
    present = {
        path.relative_to(root): path.read_text(encoding='utf-8')
        for path in (*root.glob('model-index.yml'), *root.glob('configs/**/metafile.yml'))
    }
    changed = [
        path
        for path in sorted(wanted.keys() | present.keys())
        if wanted.get(path) != present.get(path)
    ]
    for path in () if check else changed:
        if path in wanted:
            (root / path).write_text(wanted[path], encoding='utf-8')
        else:
            (root / path).unlink()
    return changed


def index(root: Path) -> dict[Path, str]:
    """Make the whole index.

    Args:
        root: Checkout with ``configs/``.

    Returns:
        Content of each file by its path relative to ``root``.

    Raises:
        FileNotFoundError: If neither MMDetection nor :data:`OWN_FOLDERS` knows a folder.
    """
    families: dict[Path, list[Path]] = {}
    for path in leaves(root):
        families.setdefault(path.parent, []).append(path)
    # MMEngine reads MMDetection's own index, a hundred files, for each package:: name.
    with mock.patch.object(utils, 'load', cache(utils.load)):
        files = {
            folder / 'metafile.yml': _metafile(root, folder.name, configs)
            for folder, configs in families.items()
        }
    imports = {'Import': [path.as_posix() for path in files]}
    return {Path('model-index.yml'): _yaml(imports), **files}


def leaves(root: Path) -> Iterator[Path]:
    """Yield the configs that can be trained, relative to ``root``: all outside ``_base_``."""
    for path in sorted(root.glob('configs/**/*.py')):
        relative = path.relative_to(root)
        if '_base_' not in relative.parts:
            yield relative


def _metafile(root: Path, folder: str, configs: list[Path]) -> str:
    name, readme = _collection(folder)
    models = [
        {
            'Name': path.stem,
            'In Collection': name,
            'Config': path.as_posix(),
            'Metadata': _metadata(root, root / path),
        }
        for path in configs
    ]
    collection = {'Name': name, 'Paper': PAPER, 'README': readme}
    return _yaml({'Collections': [collection], 'Models': models})


def _collection(folder: str) -> tuple[str, str]:
    """Return name and page of a folder's collection; MMDetection's name if it has the folder."""
    if folder in OWN_FOLDERS:
        return OWN_FOLDERS[folder]
    metafile = Path(mmdet.__file__).parent / '.mim' / 'configs' / folder / 'metafile.yml'
    if not metafile.is_file():
        raise FileNotFoundError(
            f"MMDetection's configs have no folder {folder} with a metafile. Add the name and the "
            f'page of configs/{folder} to OWN_FOLDERS.'
        )
    stock = yaml.safe_load(metafile.read_text(encoding='utf-8'))['Collections'][0]['Name']
    return f'Distilled {stock}', 'docs/how_to/training.md'


def _metadata(root: Path, path: Path) -> dict:
    config = Config.fromfile(path, import_custom_modules=False)
    data = config.train_dataloader.dataset.type
    length = {'max_epochs': 'Epochs', 'max_iters': 'Iterations'}
    metadata = {
        'Training Data': DATA_SETS.get(data, data),
        **{name: config.train_cfg[key] for key, name in length.items() if key in config.train_cfg},
    }
    if 'teacher' in config.model:
        metadata['Teacher'] = _teacher(root, config.model.teacher.config)
        metadata['Distillation Losses'] = [
            loss.type for loss in config.model.distill_losses.values()
        ]
    return metadata


def _teacher(root: Path, config: str | dict) -> str:
    if not isinstance(config, str):
        return config['type']
    return config if '::' in config else os.path.relpath(config, root)


def _yaml(content: dict) -> str:
    return HEADER + yaml.safe_dump(content, sort_keys=False, width=100)


def main() -> int:
    """Write the files, or print which are out of date; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing; 1 if out of date')
    check = parser.parse_args().check
    changed = update(ROOT, check)
    for path in changed:
        print(f'{path} {"is out of date" if check else "was updated"}')
    return int(check and bool(changed))


if __name__ == '__main__':
    sys.exit(main())
