"""Builds mmcv with its ops once, and keeps the wheel for every checkout of this user."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from bootstrap import pip
from bootstrap.errors import SetupError
from bootstrap.locks import exclusive
from bootstrap.progress import BuildProgress
from bootstrap.toolchain import Target, Torch, build_environ, require_compiler


def cache_dir() -> Path:
    """Return the folder of built wheels, after the XDG rules."""
    base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(base).expanduser() / 'mmdet_kdrank' / 'mmcv'


def python_tag() -> str:
    """Return the tag of this Python in wheel names, such as `cp312`."""
    return f'cp{sys.version_info.major}{sys.version_info.minor}'


def wheel_key(requirement: str, torch: str, variant: str) -> str:
    """Return a key of everything that a wheel's binary interface depends on.

    pip's own cache ignores torch: it would install a wheel that was built for another torch.

    Example:
        >>> wheel_key('mmcv==2.1.0', '2.11.0+cu130', 'cpu').split('-', 1)[1]
        'torch2.11.0+cu130-mmcv2.1.0-cpu-x86_64'
    """
    mmcv = requirement.replace('==', '')
    return f'{python_tag()}-torch{torch}-{mmcv}-{variant}-{platform.machine()}'


def finished_wheel(folder: Path) -> Path | None:
    """Return the wheel in a key's folder, or None before it is built."""
    return next(iter(sorted(folder.glob('*.whl'))), None)


def likely_cached(requirement: str, torch: str) -> bool:
    """Return, before torch is installed, whether the cache has any wheel for it."""
    pattern = wheel_key(requirement, f'{torch}*', '*')
    return any(finished_wheel(folder) for folder in cache_dir().glob(pattern))


def obtain(venv: Path, requirement: str, torch: Torch, target: Target) -> Path:
    """Return the wheel for an environment; it is built if necessary.

    Args:
        venv: The environment, with torch and the build tools in it.
        requirement: mmcv's pin.
        torch: The environment's torch.
        target: CPU or CUDA.

    Raises:
        SetupError: No compiler, or the build failed.
    """
    folder = cache_dir() / wheel_key(requirement, torch.version, target.variant)
    with exclusive(
        folder.with_name(f'{folder.name}.lock'),
        'mmcv: another set-up builds this wheel; waiting for it',
    ):
        wheel = finished_wheel(folder)
        if wheel is None:
            require_compiler('{}.{}'.format(*sys.version_info))
            source = _unpacked_source(venv, requirement, folder)
            wheel = _build(venv, source, folder, target)
    return wheel


def _unpacked_source(venv: Path, requirement: str, folder: Path) -> Path:
    source = folder / 'source'
    if source.is_dir():
        return source
    download = folder / 'download'
    shutil.rmtree(download, ignore_errors=True)
    print(f'mmcv: fetching the source of {requirement}', flush=True)
    # Without isolation: mmcv's setup.py imports pkg_resources, which new setuptools do not have.
    pip.pip(
        venv, 'download', '--quiet', '--no-deps', '--no-build-isolation',
        f'--no-binary={requirement.partition("==")[0]}', f'--dest={download}', requirement,
    )  # fmt: skip
    archive = next(download.glob('*.tar.gz'))
    with tarfile.open(archive) as tar:
        tar.extractall(download)
    # Renamed last, so that a folder of that name is always whole.
    os.replace(archive.with_name(archive.name.removesuffix('.tar.gz')), source)
    shutil.rmtree(download)
    return source


def count_sources(source: Path, target: Target) -> int:
    """Count the files that mmcv's setup.py compiles."""
    ops = source / 'mmcv' / 'ops' / 'csrc' / 'pytorch'
    patterns = ['*.cpp', 'cpu/*.cpp', *(['cuda/*.cu', 'cuda/*.cpp'] if target.cuda else [])]
    return sum(len(list(ops.glob(pattern))) for pattern in patterns)


def _build(venv: Path, source: Path, folder: Path, target: Target) -> Path:
    log = folder / 'build.log'
    total = count_sources(source, target)
    site_packages = Path(
        pip.evaluate(venv, 'import sysconfig; print(sysconfig.get_path("purelib"))')
    )
    env = build_environ(target, site_packages)
    print(
        f'mmcv: compiling {total} files with {env["MAX_JOBS"]} jobs, once for this Python and '
        f'torch ({target.variant} ops); may be interrupted. Log: {log}',
        flush=True,
    )
    shutil.rmtree(source / 'dist', ignore_errors=True)
    status = _run_logged(
        [str(pip.venv_python(venv)), 'setup.py', 'bdist_wheel'],
        source,
        env,
        log,
        BuildProgress(total),
    )
    wheels = list((source / 'dist').glob('*.whl'))
    if status or not wheels:
        raise SetupError(_failure(log))
    wheel = folder / wheels[0].name
    os.replace(wheels[0], wheel)
    shutil.rmtree(source)
    return wheel


def _run_logged(
    command: list[str], cwd: Path, env: dict[str, str], log: Path, progress: BuildProgress
) -> int:
    with log.open('w') as file:
        build = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
        )
        try:
            for line in build.stdout:
                file.write(line)
                file.flush()
                progress.feed(line)
            return build.wait()
        finally:
            progress.close()
            # Ctrl-C also stops the compilers; the lock must be held until the last one has ended.
            if build.poll() is None:
                build.terminate()
                build.wait()


def _failure(log: Path) -> str:
    lines = log.read_text(errors='replace').splitlines()
    errors = [line for line in lines if re.search(r'\berror\b|FAILED|Killed', line)][:5]
    shown = '\n'.join(line[:400] for line in [*errors, '...', *lines[-15:]])
    return f'compiling mmcv failed; the whole log is {log}. Its first errors and its end:\n{shown}'
