"""The checks that try imports, each in another process because an import can end the process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from mmdet_kdrank.environment.versions import (
    IMPORT_CHECKS,
    Check,
    Facts,
    Fault,
    installed,
)

PROBES = {
    'pkg_resources': 'import pkg_resources',
    'cv2': 'import cv2',
    'torch': 'import torch',
    'numpy bridge': 'import torch, numpy; torch.zeros(1).numpy(); torch.from_numpy(numpy.zeros(1))',
    'torchvision': 'import torchvision.ops',
    'mmcv._ext': 'import torch, mmcv._ext',
    'mmdet': 'import mmdet.models',
    'triton': 'import triton',
    'CUDA': 'import torch; assert torch.cuda.is_available(), "no CUDA device"',
    'CUDA ops': (
        'import torch, mmcv._ext; v = mmcv._ext.get_compiling_cuda_version(); '
        'assert v != "not available", "mmcv was compiled without CUDA"'
    ),
}

# It announces each probe before the probe runs: so the probe that ended the process is known.
_RUNNER = """
import json, sys, traceback
for name, code in json.loads(sys.argv[1]).items():
    print("begun:" + name, flush=True)
    try:
        exec(code, {})
    except BaseException:
        print("failed:" + json.dumps(traceback.format_exc()), flush=True)
print("finished:", flush=True)
"""


def gather() -> Facts:
    """Return all facts; the imports that may fail are tried in another process."""
    known = installed()
    return Facts(known.versions, known.python, probe_errors(PROBES))


def probe_errors(probes: Mapping[str, str]) -> dict[str, str]:
    """Run pieces of code in another process and return the error text of those that fail.

    An extension built for another torch may end its process; the rest then runs in a new process.

    Args:
        probes: Code by name.
    """
    errors: dict[str, str] = {}
    waiting = dict(probes)
    # The probes must see the same packages as this process.
    flags = ['-S'] if sys.flags.no_site else []
    while waiting:
        result = subprocess.run(
            [sys.executable, *flags, '-W', 'ignore', '-c', _RUNNER, json.dumps(waiting)],
            capture_output=True,
            text=True,
            errors='replace',
        )
        current = None
        for line in result.stdout.splitlines():
            event, _, content = line.partition(':')
            if event == 'begun' and content in waiting:
                current = content
                waiting.pop(current)
            elif event == 'failed':
                errors[current] = json.loads(content)
            elif event == 'finished':
                current = None
        if current is not None:
            errors[current] = f'{result.stderr}\nended with status {result.returncode}'
        elif result.returncode and waiting:
            raise RuntimeError(f'{sys.executable} does not start: {result.stderr}')
        # torch only warns on stderr about a numpy that it was not compiled for.
        if 'compiled using NumPy 1.x' in result.stderr:
            errors.setdefault('numpy bridge', result.stderr)
    return errors


def numpy_and_triton(facts: Facts) -> Fault | None:
    """Return the fault of a numpy 2.5 that breaks Triton's CPU interpreter."""
    if not (
        facts.at_least('numpy', 2, 5)
        and facts.at_least('triton', 3)
        and not facts.at_least('triton', 3, 7)
    ):
        return None
    return Fault(
        f'numpy {facts.versions["numpy"]} breaks the interpreter of Triton '
        f'{facts.versions["triton"]} (only 0-dimensional arrays can be converted to Python '
        'scalars).',
        '`pip install "numpy<2.5"`.',
    )


def pkg_resources(facts: Facts) -> Fault | None:
    """Return the fault of a setuptools without the pkg_resources that OpenMMLab's mmcv imports."""
    if 'pkg_resources' not in facts.errors or 'setuptools' not in facts.family.bounds:
        return None
    return Fault(
        f'pkg_resources cannot be imported: {last_line(facts.errors["pkg_resources"])}.',
        '`pip install "setuptools<81"`; newer versions no longer contain it.',
    )


def opencv(facts: Facts) -> Fault | None:
    """Return the fault of an OpenCV that cannot be imported, mostly because libGL is missing."""
    text = facts.errors.get('cv2')
    if text is None:
        return None
    if '.so' in text and 'cannot open shared object' in text:
        fix = (
            '`pip uninstall opencv-python` and then `pip install --force-reinstall --no-deps '
            'opencv-python-headless` in the same version, or install the library (Debian, Ubuntu: '
            'apt install libgl1 libglib2.0-0; Fedora: dnf install mesa-libGL glib2).'
        )
        return Fault(f'OpenCV lacks a system library: {last_line(text)}.', fix)
    return Fault(f'OpenCV cannot be imported: {last_line(text)}.', facts.setup)


def torch_import(facts: Facts) -> Fault | None:
    """Return the fault of a torch that cannot be imported at all."""
    if 'torch' not in facts.errors:
        return None
    return Fault(f'torch cannot be imported: {last_line(facts.errors["torch"])}.', facts.setup)


def mmcv_ops(facts: Facts) -> Fault | None:
    """Return the fault of an mmcv without compiled ops, or with ops made for another torch."""
    text = facts.errors.get('mmcv._ext')
    if text is None or 'torch' in facts.errors or pkg_resources(facts) or 'cv2' in facts.errors:
        return None
    if "No module named 'mmcv._ext'" in text:
        description = (
            'mmcv has no compiled ops (mmcv._ext is missing): it is mmcv-lite, or was built '
            'without them.'
        )
    elif 'undefined symbol' in text or 'Symbol not found' in text or 'status -' in text:
        description = (
            f"mmcv's compiled ops were built for another torch (ABI mismatch): {last_line(text)}."
        )
    else:
        description = f"mmcv's compiled ops cannot be imported: {last_line(text)}."
    return Fault(description, _rebuild(facts))


def _rebuild(facts: Facts) -> str:
    bound = facts.family.bounds['mmcv']
    version = facts.versions.get(bound.package)
    requirement = f'{bound.package}=={version}' if version else f'"{bound}"'
    return (
        'reinstall mmcv compiled for this torch: '
        f'`pip install --no-cache-dir --no-build-isolation --force-reinstall --no-deps '
        f'{requirement}`, or {facts.setup}'
    )


def mmcv_cuda_ops(facts: Facts) -> Fault | None:
    """Return the fault of an mmcv with CPU ops alone on a machine with a GPU."""
    if 'CUDA' in facts.errors or 'mmcv._ext' in facts.errors or 'CUDA ops' not in facts.errors:
        return None
    return Fault(
        'there is a CUDA device, but mmcv was compiled without CUDA ops, so NMS and RoIAlign '
        'cannot run on it.',
        "install a CUDA toolkit of torch's own version and run `make setup FORCE_CUDA=1`; "
        'or set CUDA_VISIBLE_DEVICES= (empty) to train on the CPU.',
    )


def triton(facts: Facts) -> Fault | None:
    """Return the fault of a missing Triton where there is a GPU to run it on."""
    if 'CUDA' in facts.errors or 'triton' not in facts.errors:
        return None
    return Fault(
        'there is a CUDA device, but Triton cannot be imported: '
        f'{last_line(facts.errors["triton"])}.',
        '`pip install triton` in the version that this torch names (`pip show torch`); until then '
        "backend='chunked' works.",
    )


def mmdet_import(facts: Facts) -> Fault | None:
    """Return the fault of an mmdet that fails for a reason that no other check names."""
    others = {'torch', 'torchvision', 'cv2', 'mmcv._ext'}
    if 'mmdet' not in facts.errors or others & set(facts.errors) or pkg_resources(facts):
        return None
    return Fault(f'mmdet cannot be imported: {last_line(facts.errors["mmdet"])}.', facts.setup)


def last_line(text: str) -> str:
    """Return the last line of a traceback, which names the error."""
    lines = text.strip().splitlines()
    return lines[-1].strip().rstrip('.') if lines else 'no message'


ALL_CHECKS = (
    *IMPORT_CHECKS,
    Check('numpy with Triton', numpy_and_triton),
    Check('torch imports', torch_import),
    Check('pkg_resources', pkg_resources),
    Check('OpenCV', opencv),
    Check('mmcv._ext', mmcv_ops),
    Check('CUDA ops of mmcv', mmcv_cuda_ops),
    Check('Triton on CUDA', triton),
    Check('mmdet imports', mmdet_import),
)
"""Every check, as the doctor runs them."""
