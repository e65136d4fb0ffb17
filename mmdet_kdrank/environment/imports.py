"""Faults that show only when something is imported."""

from __future__ import annotations

from mmdet_kdrank.environment.facts import Facts
from mmdet_kdrank.environment.fault import SETUP, Fault

REBUILD = (
    'reinstall mmcv compiled for this torch: `make setup`, or '
    '`pip install --no-cache-dir --no-build-isolation --force-reinstall --no-deps mmcv==2.1.0`.'
)


def pkg_resources(facts: Facts) -> Fault | None:
    """setuptools without pkg_resources, which mmcv and mmengine import."""
    if 'pkg_resources' not in facts.errors:
        return None
    return Fault(
        f'pkg_resources cannot be imported: {last_line(facts.errors["pkg_resources"])}.',
        '`pip install "setuptools<81"`; newer ones no longer contain it.',
    )


def opencv(facts: Facts) -> Fault | None:
    """OpenCV that cannot be imported, for want of libGL most often."""
    text = facts.errors.get('cv2')
    if text is None:
        return None
    if '.so' in text and 'cannot open shared object' in text:
        mend = (
            '`pip uninstall opencv-python` and then `pip install --force-reinstall --no-deps '
            'opencv-python-headless` in the same version, or install the library (Debian, Ubuntu: '
            'apt install libgl1 libglib2.0-0; Fedora: dnf install mesa-libGL glib2).'
        )
        return Fault(f'OpenCV misses a library of the system: {last_line(text)}.', mend)
    return Fault(f'OpenCV cannot be imported: {last_line(text)}.', SETUP)


def torch_import(facts: Facts) -> Fault | None:
    """Return a torch that cannot be imported at all."""
    if 'torch' not in facts.errors:
        return None
    return Fault(f'torch cannot be imported: {last_line(facts.errors["torch"])}.', SETUP)


def mmcv_ops(facts: Facts) -> Fault | None:
    """mmcv without its compiled ops, or with ops compiled for another torch."""
    text = facts.errors.get('mmcv._ext')
    if (
        text is None
        or 'torch' in facts.errors
        or 'pkg_resources' in facts.errors
        or 'cv2' in facts.errors
    ):
        return None
    if "No module named 'mmcv._ext'" in text:
        what = 'mmcv has no compiled ops (mmcv._ext is missing): mmcv-lite, or built without.'
    elif 'undefined symbol' in text or 'Symbol not found' in text or 'status -' in text:
        what = (
            f"mmcv's compiled ops were built for another torch (ABI mismatch): {last_line(text)}."
        )
    else:
        what = f"mmcv's compiled ops cannot be imported: {last_line(text)}."
    return Fault(what, REBUILD)


def mmcv_cuda_ops(facts: Facts) -> Fault | None:
    """CPU ops on a machine whose card then has no NMS and no RoIAlign."""
    if 'CUDA' in facts.errors or 'mmcv._ext' in facts.errors or 'CUDA ops' not in facts.errors:
        return None
    return Fault(
        'there is a CUDA device, but mmcv was compiled without CUDA ops: no NMS and no RoIAlign '
        'on the card.',
        "with a CUDA toolkit of torch's own version at hand, `make setup FORCE_CUDA=1`; "
        'or CUDA_VISIBLE_DEVICES= (empty) to train on the CPU.',
    )


def triton(facts: Facts) -> Fault | None:
    """No Triton where there is a card to run it on."""
    if 'CUDA' in facts.errors or 'triton' not in facts.errors:
        return None
    return Fault(
        'there is a CUDA device, but Triton cannot be imported: '
        f'{last_line(facts.errors["triton"])}.',
        '`pip install triton` in the version that this torch names (`pip show torch`); until then '
        "backend='chunked' works.",
    )


def mmdet_import(facts: Facts) -> Fault | None:
    """mmdet that fails for a reason that no other check names."""
    others = {'torch', 'torchvision', 'pkg_resources', 'cv2', 'mmcv._ext'}
    if 'mmdet' not in facts.errors or others & set(facts.errors):
        return None
    return Fault(f'mmdet cannot be imported: {last_line(facts.errors["mmdet"])}.', SETUP)


def last_line(text: str) -> str:
    """Return the line of a traceback that says what happened."""
    lines = text.strip().splitlines()
    return lines[-1].strip().rstrip('.') if lines else 'no message'
