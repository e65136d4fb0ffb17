import pytest

from mmdet_kdrank.environment import ALL_CHECKS, EnvironmentFault, Facts, require
from mmdet_kdrank.environment.facts import PROBES

CLASSIC = dict(
    torch='2.1.2+cu121',
    torchvision='0.16.2',
    numpy='1.26.4',
    mmengine='0.10.7',
    mmcv='2.1.0',
    mmdet='3.3.0',
    pycocotools='2.0.11',
    setuptools='69.5.1',
    triton='2.1.0',
)
MODERN = {
    **CLASSIC,
    'torch': '2.11.0+cu130',
    'torchvision': '0.26.0',
    'numpy': '2.3.5',
    'setuptools': '80.10.2',
    'triton': '3.6.0',
}
ON_CPU = {'CUDA': 'AssertionError: no CUDA device', 'CUDA ops': 'AssertionError: without CUDA'}


def make_facts(versions=MODERN, python=(3, 12, 1), errors=ON_CPU, **changes):
    changed = {**versions, **changes}
    return Facts({k: v for k, v in changed.items() if v is not None}, python, errors)


def faults(facts):
    return {check.name: str(fault) for check in ALL_CHECKS if (fault := check.probe(facts))}


def failed(*extra, **errors):
    return {**ON_CPU, **dict(extra), **errors}


@pytest.mark.parametrize(
    'facts',
    [
        make_facts(),
        make_facts(python=(3, 10, 13)),
        make_facts(CLASSIC, (3, 11, 7)),
        make_facts(errors={}),
        make_facts(triton=None),
    ],
    ids=['modern', 'oldest Python', 'classic', 'CUDA', 'CPU without Triton'],
)
def test_sound_stacks_have_no_fault(facts):
    assert faults(facts) == {}


# Facts, the check that must name the fault, what it must say, and the mend.
KNOWN = {
    'Python too old': (
        make_facts(python=(3, 9, 2)),
        'Python',
        'Python 3.9.2 is too old: >=3.10,<3.13',
        'make setup PYTHON=',
    ),
    'Python too new': (make_facts(python=(3, 13, 0)), 'Python', '3.13.0 is too new', 'make setup'),
    'missing package': (
        make_facts(pycocotools=None),
        'pycocotools version',
        'pycocotools is not installed',
        'make setup',
    ),
    'mmcv above bounds': (
        make_facts(mmcv='2.2.0'),
        'mmcv version',
        'mmcv 2.2.0 is installed, but mmcv>=2.0.0,<2.2.0 is needed',
        'make setup',
    ),
    'mmcv 1': (make_facts(mmcv='1.7.2'), 'mmcv version', 'mmcv 1.7.2 is installed', 'make setup'),
    'numpy 2, old torch': (
        make_facts(CLASSIC, (3, 11, 7), numpy='2.0.1'),
        'numpy with torch',
        'numpy 2.0.1 does not work with torch 2.1.2+cu121',
        'pip install "numpy<2"',
    ),
    'numpy told by torch': (
        make_facts(
            errors=failed(('numpy bridge', 'A module that was compiled using NumPy 1.x cannot'))
        ),
        'numpy with torch',
        'compiled against numpy 1',
        'numpy<2',
    ),
    'torchvision release': (
        make_facts(torchvision='0.25.0'),
        'torchvision with torch',
        'torchvision 0.25.0 does not match torch 2.11.0+cu130',
        'from the same index',
    ),
    'torchvision build': (
        make_facts(
            errors=failed(
                torchvision='RuntimeError: operator torchvision::nms does not exist',
                mmdet='RuntimeError: operator torchvision::nms does not exist',
            )
        ),
        'torchvision with torch',
        'operator torchvision::nms does not exist',
        'from the same index',
    ),
    'numpy 2.5 and Triton': (
        make_facts(numpy='2.5.0'),
        'numpy with Triton',
        'only 0-dimensional arrays',
        'numpy<2.5',
    ),
    'torch broken': (
        make_facts(
            errors={
                name: 'OSError: libcudart.so: no such file' for name in PROBES if 'torch' in name
            }
        ),
        'torch imports',
        'torch cannot be imported: OSError: libcudart.so',
        'make setup',
    ),
    'pkg_resources': (
        make_facts(
            errors=failed(
                ('mmcv._ext', "ModuleNotFoundError: No module named 'pkg_resources'"),
                pkg_resources="Traceback\nModuleNotFoundError: No module named 'pkg_resources'",
            )
        ),
        'pkg_resources',
        "pkg_resources cannot be imported: ModuleNotFoundError: No module named 'pkg_resources'.",
        'setuptools<81',
    ),
    'libGL': (
        make_facts(
            errors=failed(cv2='Traceback\nImportError: libGL.so.1: cannot open shared object file')
        ),
        'OpenCV',
        'misses a library of the system: ImportError: libGL.so.1',
        'opencv-python-headless',
    ),
    'no OpenCV': (
        make_facts(errors=failed(cv2="ModuleNotFoundError: No module named 'cv2'")),
        'OpenCV',
        'OpenCV cannot be imported',
        'make setup',
    ),
    'mmcv-lite': (
        make_facts(
            errors=failed(('mmcv._ext', "ModuleNotFoundError: No module named 'mmcv._ext'"))
        ),
        'mmcv._ext',
        'no compiled ops (mmcv._ext is missing)',
        'make setup',
    ),
    'mmcv ABI': (
        make_facts(
            errors=failed(('mmcv._ext', 'ImportError: _ext.so: undefined symbol: _ZN3c106detail'))
        ),
        'mmcv._ext',
        'built for another torch (ABI mismatch)',
        '--no-cache-dir',
    ),
    'mmcv crash': (
        make_facts(errors=failed(('mmcv._ext', 'ended with status -11'))),
        'mmcv._ext',
        'ABI mismatch',
        'make setup',
    ),
    'CPU ops on CUDA': (
        make_facts(errors={'CUDA ops': 'AssertionError'}),
        'CUDA ops of mmcv',
        'compiled without CUDA ops',
        'FORCE_CUDA=1',
    ),
    'no Triton on CUDA': (
        make_facts(errors={'triton': "ModuleNotFoundError: No module named 'triton'"}),
        'Triton on CUDA',
        "No module named 'triton'",
        'pip install triton',
    ),
    'mmdet': (
        make_facts(errors=failed(mmdet='AssertionError: MMCV==2.0 is used but incompatible')),
        'mmdet imports',
        'mmdet cannot be imported: AssertionError',
        'make setup',
    ),
}


@pytest.mark.parametrize('facts, check, what, mend', KNOWN.values(), ids=list(KNOWN))
def test_known_fault_has_name_and_mend(facts, check, what, mend):
    found = faults(facts)
    assert list(found) == [check]
    assert what in found[check]
    assert mend in found[check].split(' Mend: ')[1]


def test_import_uses_the_doctors_words():
    facts = make_facts(mmcv='2.2.0', numpy=None)
    with pytest.raises(EnvironmentFault) as info:
        require(facts)
    for fault in faults(facts).values():
        assert fault in str(info.value)
    require(make_facts())


def test_import_ignores_what_it_can_live_with():
    require(make_facts(numpy='2.5.0'))
