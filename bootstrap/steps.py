"""The steps of the set-up, each of which may be interrupted and run again."""

import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bootstrap import mmcv_wheel, pip, stamp
from bootstrap.errors import SetupError
from bootstrap.locks import exclusive
from bootstrap.progress import duration
from bootstrap.stacks import fingerprint, mmcv_requirement, pinned, requirement_files
from bootstrap.toolchain import choose_target, installed_torch, nvcc_version, require_compiler


def set_up(root: Path, stack: str, venv: Path) -> None:
    """Complete the environment, unless it is complete.

    Args:
        root: The checkout.
        stack: The stack's name.
        venv: Folder of the environment.

    Raises:
        SetupError: A step cannot continue.
    """
    wanted = fingerprint(root, stack, platform.python_version())
    if _complete(venv, wanted):
        return
    lock = venv.with_name(f'{venv.name}.lock')
    with exclusive(lock, f'another set-up works on {venv}; waiting for it'):
        if _complete(venv, wanted):
            return
        start = time.monotonic()
        _preflight(root, stack)
        stamp.remove(venv)
        create_venv(venv)
        _install_pins(root, stack, venv)
        fix_opencv(venv)
        variant = _install_mmcv(root, stack, venv)
        pip.pip(
            venv, 'install', '--quiet', '--no-deps', '--no-build-isolation', '--editable', str(root)
        )
        stamp.write(venv, stamp.Stamp(wanted, variant))
        print(
            f'set-up of {venv.name} ({stack}) done in {duration(time.monotonic() - start)}',
            flush=True,
        )


def _complete(venv: Path, wanted: str) -> bool:
    existing = stamp.read(venv)
    return existing is not None and existing.serves(wanted, os.environ.get('FORCE_CUDA'))


def _preflight(root: Path, stack: str) -> None:
    """Refuse a missing compiler before gigabytes are downloaded."""
    torch = pinned(requirement_files(root, stack)[0], 'torch')
    mmcv = mmcv_requirement(root, stack)
    if not os.environ.get('MMCV_FIND_LINKS') and not mmcv_wheel.likely_cached(mmcv, torch):
        require_compiler('{}.{}'.format(*sys.version_info))


def create_venv(venv: Path) -> None:
    """Create the virtual environment, unless one of this Python exists and has pip.

    Raises:
        SetupError: It could not be created.
    """
    python = pip.venv_python(venv)
    if python.exists() and _same_python(python) and _belongs_here(venv):
        return
    # The running Python may belong to the old environment, so its base makes the new one.
    base = getattr(sys, '_base_executable', sys.executable)
    shutil.rmtree(venv, ignore_errors=True)
    print(f'creating {venv} with Python {platform.python_version()}', flush=True)
    if subprocess.run([base, '-m', 'venv', str(venv)], env=pip.environ()).returncode:
        raise SetupError(f'`{base} -m venv {venv}` failed; its message is above.')


def _same_python(python: Path) -> bool:
    code = 'import platform, pip; print(platform.python_version())'
    result = subprocess.run(
        [str(python), '-c', code], env=pip.environ(), capture_output=True, text=True
    )
    return result.returncode == 0 and result.stdout.strip() == platform.python_version()


def _belongs_here(venv: Path) -> bool:
    """Return whether the environment was made at this path; a moved one does not work."""
    return str(venv) in (venv / 'bin' / 'activate').read_text()


def _install_pins(root: Path, stack: str, venv: Path) -> None:
    print(f'installing the pinned packages of the {stack} stack', flush=True)
    files = [f'--requirement={file}' for file in requirement_files(root, stack)]
    pip.pip(venv, 'install', '--quiet', *files)


def fix_opencv(venv: Path) -> None:
    """Replace opencv-python by opencv-python-headless if the system has no libGL."""
    command = [str(pip.venv_python(venv)), '-c', 'import cv2']
    result = subprocess.run(command, env=pip.environ(), cwd=venv, capture_output=True, text=True)
    if result.returncode == 0:
        return
    if 'lib' not in result.stderr or '.so' not in result.stderr:
        raise SetupError(f'`import cv2` failed:\n{result.stderr.strip()}')
    reason = result.stderr.strip().splitlines()[-1]
    version = pip.evaluate(
        venv, 'import importlib.metadata as m; print(m.version("opencv-python"))'
    )
    print(f'opencv: {reason}; installing opencv-python-headless {version} in its place', flush=True)
    pip.pip(venv, 'uninstall', '--quiet', '--yes', 'opencv-python')
    # --force-reinstall: both share files, so the uninstall removed those of the headless one too.
    pip.pip(
        venv,
        'install',
        '--quiet',
        '--no-deps',
        '--force-reinstall',
        f'opencv-python-headless=={version}',
    )


def _install_mmcv(root: Path, stack: str, venv: Path) -> str:
    requirement = mmcv_requirement(root, stack)
    links = os.environ.get('MMCV_FIND_LINKS')
    # --force-reinstall: the same version may be installed, but built for another torch.
    install = ('install', '--quiet', '--no-deps', '--force-reinstall')
    if links:
        built_only = f'--only-binary={requirement.partition("==")[0]}'
        pip.pip(venv, *install, '--no-index', built_only, f'--find-links={links}', requirement)
        return 'given'
    torch = installed_torch(venv)
    target = choose_target(
        torch,
        nvcc_version(),
        os.environ.get('FORCE_CUDA'),
        os.environ.get('TORCH_CUDA_ARCH_LIST', ''),
    )
    pip.pip(venv, *install, str(mmcv_wheel.obtain(venv, requirement, torch, target)))
    return target.variant
