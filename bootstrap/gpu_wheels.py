"""Collects what a GPU machine without a network lacks: `python -m bootstrap.gpu_wheels`.

The folder has mmcv with its CUDA ops, compiled once and cached, and the pure Python packages around
it. torch, matplotlib, OpenCV, scipy and pytest are expected on the machine.
"""

import argparse
import shutil
import sys
from pathlib import Path

from bootstrap import mmcv_wheel, pip
from bootstrap.errors import SetupError
from bootstrap.stacks import STACKS, mmcv_requirement
from bootstrap.toolchain import choose_target, installed_torch, nvcc_version

MODULES = (
    'mmdet',
    'mmengine',
    'pycocotools',
    'addict',
    'platformdirs',
    'shapely',
    'termcolor',
    'terminaltables',
    'yapf',
)
MOST_BYTES = 60 << 20

_PINS = """
from importlib.metadata import packages_distributions, version
names = packages_distributions()
print(' '.join(f'{name}=={version(name)}' for name in {names[m][0] for m in MODULES}))
"""


def collect(root: Path, stack: str, venv: Path, architectures: str, folder: Path) -> None:
    """Fill the folder anew.

    Args:
        root: The checkout.
        stack: The stack's name.
        venv: Its environment, complete.
        architectures: Compute capabilities of the cards, such as `9.0`; empty for CPU ops, which
            serve for a rehearsal.
        folder: Folder of the wheels.

    Raises:
        SetupError: There is no fitting CUDA toolkit, the build or pip failed, or the folder is too
            large to be carried.
    """
    torch = installed_torch(venv)
    force = '1' if architectures else '0'
    target = choose_target(torch, nvcc_version(), force, architectures)
    mmcv = mmcv_wheel.obtain(venv, mmcv_requirement(root, stack), torch, target)
    pins = pip.evaluate(venv, f'MODULES = {MODULES!r}\n{_PINS}').split()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(mmcv, folder)
    pip.pip(
        venv, 'wheel', '--quiet', '--no-deps', '--no-build-isolation', f'--wheel-dir={folder}',
        *sorted(pins),
    )  # fmt: skip
    total = sum(wheel.stat().st_size for wheel in folder.iterdir())
    if total > MOST_BYTES:
        raise SetupError(f'{folder} has {total >> 20} MiB, more than {MOST_BYTES >> 20}.')
    print(f'{folder}: {len(list(folder.iterdir()))} wheels, {total >> 20} MiB ({target.variant})')


def main() -> int:
    """Collect the wheels and return the exit status."""
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(prog='bootstrap.gpu_wheels', description=__doc__)
    parser.add_argument('--stack', choices=STACKS, default='modern')
    parser.add_argument('--venv', type=Path, default=Path('.venv'))
    parser.add_argument('--arch', default='9.0', help='compute capabilities; empty for CPU ops')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/gpu-wheels'))
    args = parser.parse_args()
    try:
        collect(root, args.stack, root / args.venv, args.arch, root / args.out)
    except SetupError as error:
        print(f'gpu-wheels stopped: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
