"""The tools that compile mmcv's ops, and whether its CUDA ops are compiled too."""

import json
import os
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from bootstrap import pip
from bootstrap.errors import SetupError

_TORCH_FACTS = """
import json, torch
cards = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
print(json.dumps(dict(
    version=torch.__version__,
    cuda=torch.version.cuda,
    architectures=sorted({'%d.%d' % torch.cuda.get_device_capability(i) for i in cards}),
)))
"""


@dataclass(frozen=True)
class Torch:
    """The facts about the installed torch that the build needs.

    Attributes:
        version: Full version, including the local part.
        cuda: CUDA version it was built with, or None.
        architectures: Compute capabilities of the GPUs it sees.
    """

    version: str
    cuda: str | None
    architectures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """The kind of mmcv to build.

    Attributes:
        cuda: Whether the CUDA ops are compiled.
        variant: Its name in the wheel folder's key: `cpu`, or such as `cu130-9.0`.
        architectures: Value for TORCH_CUDA_ARCH_LIST; empty leaves the choice to torch.
    """

    cuda: bool
    variant: str
    architectures: str = ''


def installed_torch(venv: Path) -> Torch:
    """Return the facts about the environment's torch."""
    facts = json.loads(pip.evaluate(venv, _TORCH_FACTS).splitlines()[-1])
    return Torch(facts['version'], facts['cuda'], tuple(facts['architectures']))


def nvcc_version() -> str | None:
    """Return the CUDA version (`13.0`) of the compiler that torch would use, or None."""
    home = os.environ.get('CUDA_HOME') or os.environ.get('CUDA_PATH')
    nvcc = f'{home}/bin/nvcc' if home else shutil.which('nvcc') or '/usr/local/cuda/bin/nvcc'
    try:
        text = subprocess.run([nvcc, '--version'], capture_output=True, text=True).stdout
    except OSError:
        return None
    match = re.search(r'release (\d+\.\d+)', text)
    return match.group(1) if match else None


def choose_target(
    torch: Torch, nvcc: str | None, force_cuda: str | None, archs: str = ''
) -> Target:
    """Choose between CPU ops and CUDA ops, and explain the choice if it may surprise.

    CUDA ops take many minutes to compile. So a toolkit alone is not enough: there must be a GPU
    too, or the user must set FORCE_CUDA=1.

    Args:
        torch: The installed torch.
        nvcc: Version of the installed CUDA compiler, or None.
        force_cuda: The user's FORCE_CUDA: `1`, `0`, or anything else for unset.
        archs: The user's TORCH_CUDA_ARCH_LIST.

    Raises:
        SetupError: FORCE_CUDA=1, but there is no fitting CUDA toolkit.
    """
    cpu = Target(cuda=False, variant='cpu')
    if force_cuda == '0':
        return cpu
    fits = torch.cuda is not None and nvcc == torch.cuda
    if force_cuda == '1' and not fits:
        raise SetupError(
            f'FORCE_CUDA=1 needs a CUDA toolkit of the version that torch {torch.version} was '
            f'built with ({torch.cuda or "none: this torch has no CUDA"}); nvcc at hand: '
            f'{nvcc or "none"}. Install that toolkit and set CUDA_HOME to it, or unset FORCE_CUDA '
            'for CPU ops.'
        )
    if fits and (torch.architectures or force_cuda == '1'):
        archs = archs or ';'.join(torch.architectures)
        if not archs:
            print(
                'mmcv: no GPU is visible, so its CUDA ops are compiled for every architecture; '
                'with TORCH_CUDA_ARCH_LIST (such as 9.0) that takes much less time.'
            )
        suffix = f'-{re.sub("[^0-9A-Za-z.+]+", "_", archs)}' if archs else ''
        return Target(True, f'cu{nvcc.replace(".", "")}{suffix}', archs)
    if fits:
        print(
            'mmcv: CUDA toolkit but no GPU: building CPU ops only (FORCE_CUDA=1 builds CUDA ops).'
        )
    elif torch.architectures:
        print(
            f'mmcv: a GPU but no CUDA {torch.cuda} toolkit (nvcc: {nvcc or "none"}): building CPU '
            'ops only; NMS and RoIAlign will not run on the GPU. Install that toolkit and run '
            'make setup FORCE_CUDA=1.'
        )
    return cpu


def require_compiler(python: str, include: str | None = None) -> None:
    """Check that a C++ compiler and Python's headers are installed.

    Args:
        python: The version as in package names, such as `3.12`.
        include: Folder where Python.h should be; this Python's by default.

    Raises:
        SetupError: One line that says which package to install.
    """
    compiler = os.environ.get('CXX', 'g++').split()[0]
    otherwise = 'or set MMCV_FIND_LINKS to an index of built wheels.'
    if shutil.which(compiler) is None:
        raise SetupError(
            f'mmcv has to be compiled and there is no {compiler}: install g++ '
            f'(Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++), {otherwise}'
        )
    if not Path(include or sysconfig.get_paths()['include'], 'Python.h').is_file():
        raise SetupError(
            "mmcv has to be compiled and Python's headers (Python.h) are missing: install them "
            f'(Debian, Ubuntu: apt install python{python}-dev; '
            f'Fedora: dnf install python{python}-devel), {otherwise}'
        )


def build_environ(target: Target, site_packages: Path) -> dict[str, str]:
    """Return the environment variables for mmcv's build."""
    jobs = os.environ.get('MAX_JOBS') or str(parallel_jobs())
    # -g0: Python's own flags ask for debug symbols, which cost time and ten times the disk.
    flags = '-O3 -DNDEBUG -g0 -w'
    changes = {
        'MMCV_WITH_OPS': '1',
        'MAX_JOBS': jobs,
        'FORCE_CUDA': '1' if target.cuda else '0',
        'NINJA_STATUS': '[%f/%t] ',
        'CFLAGS': f'{os.environ.get("CFLAGS", "")} {flags}'.strip(),
        'CXXFLAGS': f'{os.environ.get("CXXFLAGS", "")} {flags}'.strip(),
        'LDFLAGS': f'{os.environ.get("LDFLAGS", "")} -s'.strip(),
        'PATH': f'{site_packages.parents[2] / "bin"}{os.pathsep}{os.environ.get("PATH", "")}',
    }
    if not target.cuda:
        # mmcv's setup.py compiles CUDA ops by itself if it sees a GPU.
        return pip.environ(**changes, CUDA_VISIBLE_DEVICES='')
    # A minimal toolkit lacks headers (cusparse.h), which torch's own packages contain.
    headers = [str(path) for path in sorted(site_packages.glob('nvidia/*/include'))]
    given = os.environ.get('CPATH')
    changes['CPATH'] = os.pathsep.join([*headers, *([given] if given else [])])
    if target.architectures:
        changes['TORCH_CUDA_ARCH_LIST'] = target.architectures
    return pip.environ(**changes)


def parallel_jobs() -> int:
    """Return the number of compilers: one per core, and one per 1.5 GiB of memory."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    )
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    return max(1, min(cores, int(memory / 1.5)))
