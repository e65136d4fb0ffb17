import pytest

from mmdet_kdrank.environment import known_faults
from mmdet_kdrank.environment.known_faults import ALL_CHECKS, PROBES, probe_errors
from mmdet_kdrank.environment.versions import EnvironmentFault, Facts, require

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
ONEDL = {
    **{k: v for k, v in MODERN.items() if k not in ('mmengine', 'mmcv', 'mmdet')},
    'onedl-mmengine': '0.10.12',
    'onedl-mmcv': '2.3.6',
    'onedl-mmdetection': '3.5.1',
    'setuptools': '82.0.0',
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
        make_facts(mmdet='3.1.0', mmcv='2.0.1'),
        make_facts(ONEDL),
        make_facts(ONEDL, setuptools=None, errors={**ON_CPU, 'pkg_resources': 'ImportError'}),
        make_facts(errors={}),
        make_facts(triton=None),
    ],
    ids=[
        'modern',
        'oldest Python',
        'classic',
        'oldest mmdet',
        'OneDL',
        'OneDL without pkg_resources',
        'CUDA',
        'CPU without Triton',
    ],
)
def test_sound_stacks_have_no_fault(facts):
    assert faults(facts) == {}


# Facts, the check that must name the fault, part of its description, and part of its fix.
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
        make_facts(mmcv='2.3.0'),
        'mmcv version',
        'mmcv 2.3.0 is installed, but mmcv>=2.0.0,<2.3.0 is needed',
        'make setup',
    ),
    'OneDL too old': (
        make_facts(ONEDL, **{'onedl-mmdetection': '3.4.7'}),
        'mmdet version',
        'onedl-mmdetection 3.4.7 is installed, but onedl-mmdetection>=3.5,<3.6 is needed',
        'run `make setup` in the checkout',
    ),
    'OneDL without mmcv': (
        make_facts(ONEDL, **{'onedl-mmcv': None}),
        'mmcv version',
        'onedl-mmcv is not installed',
        'run `make setup` in the checkout',
    ),
    'OneDL with an old torch': (
        make_facts(ONEDL, torch='2.3.1', torchvision='0.18.1'),
        'torch version',
        'torch>=2.4,<3 is needed',
        'run `make setup` in the checkout',
    ),
    'OneDL ABI': (
        make_facts(ONEDL, errors=failed(('mmcv._ext', '_ext.so: undefined symbol: _ZN3c10'))),
        'mmcv._ext',
        'built for another torch (ABI mismatch)',
        '--no-deps onedl-mmcv==2.3.6`, or run `make setup`',
    ),
    'both families': (
        make_facts({**MODERN, **ONEDL}, setuptools='80.10.2'),
        'one family',
        "OpenMMLab's mmengine 0.10.7, mmcv 2.1.0, mmdet 3.3.0 and OneDL's onedl-mmengine 0.10.12",
        'pip uninstall mmengine mmcv mmdet onedl-mmengine onedl-mmcv onedl-mmdetection',
    ),
    'one package of the other family': (
        make_facts(mmengine=None, **{'onedl-mmengine': '0.10.12'}),
        'one family',
        "OpenMMLab's mmcv 2.1.0, mmdet 3.3.0 and OneDL's onedl-mmengine 0.10.12",
        'pip uninstall mmcv mmdet onedl-mmengine`',
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
        'lacks a system library: ImportError: libGL.so.1',
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


@pytest.mark.parametrize('facts, check, description, fix', KNOWN.values(), ids=list(KNOWN))
def test_known_fault_has_name_and_fix(facts, check, description, fix):
    texts = faults(facts)
    assert list(texts) == [check]
    assert description in texts[check]
    assert fix in texts[check].split(' Fix: ')[1]


def test_import_uses_the_doctors_words():
    facts = make_facts(mmcv='2.3.0', numpy=None)
    with pytest.raises(EnvironmentFault, match="has OpenMMLab's mmengine 0.10.7, mmcv") as info:
        require(facts)
    for fault in faults(facts).values():
        assert fault in str(info.value)
    require(make_facts())


def test_checks_are_skipped_on_request(monkeypatch):
    monkeypatch.setenv('MMDET_KDRANK_SKIP_CHECKS', '1')
    require(Facts({}, (3, 9)))


def test_no_family_is_a_fault_with_both_ways_out():
    text = faults(Facts({'torch': '2.11.0'}, (3, 12), ON_CPU))['one family']
    assert 'no MMDetection is installed' in text
    assert 'mmdet_kdrank[openmmlab]' in text and '[onedl]' in text
    assert 'MMDET_KDRANK_SKIP_CHECKS=1' in text


def test_import_ignores_faults_that_do_not_break_the_package():
    require(make_facts(numpy='2.5.0'))


def test_probe_that_ends_the_process_is_a_fault_and_the_rest_still_runs():
    errors = probe_errors(
        {
            'sound': 'import json',
            'noisy': 'print("begun"); import sys; sys.stderr.write("told\\n")',
            'missing': 'import no_such_module',
            'crash': 'import os; os.abort()',
            'after': 'assert False, "reached"',
        }
    )
    assert set(errors) == {'missing', 'crash', 'after'}
    assert "No module named 'no_such_module'" in errors['missing']
    assert errors['crash'].endswith('ended with status -6')
    assert 'reached' in errors['after']


def test_numpy_told_on_stderr_is_a_fault():
    errors = probe_errors({'torch': 'import sys; sys.stderr.write("compiled using NumPy 1.x")'})
    assert list(errors) == ['numpy bridge']


EXTENSION = {'mmcv._ext': 'ImportError: undefined symbol: _ZN3c10'}


@pytest.mark.parametrize('cause', ['torch', 'pkg_resources', 'cv2'])
def test_the_import_that_breaks_mmcv_is_named_instead(cause):
    assert known_faults.mmcv_ops(Facts({}, (3, 12), EXTENSION))
    facts = Facts({}, (3, 12), {**EXTENSION, cause: 'ImportError: no'})
    assert known_faults.mmcv_ops(facts) is None


def test_the_import_that_breaks_mmdet_is_named_instead():
    mmdet = {'mmdet': 'ImportError: no'}
    assert known_faults.mmdet_import(Facts({}, (3, 12), mmdet))
    assert known_faults.mmdet_import(Facts({}, (3, 12), {**mmdet, **EXTENSION})) is None


@pytest.mark.parametrize('probe', [known_faults.triton, known_faults.mmcv_cuda_ops])
def test_without_a_gpu_nothing_is_needed(probe):
    failed = {'triton': 'ImportError: no', 'CUDA ops': 'AssertionError: no'}
    assert probe(Facts({}, (3, 12), failed))
    assert probe(Facts({}, (3, 12), {**failed, 'CUDA': 'AssertionError: no device'})) is None


def test_last_line_names_the_error():
    assert known_faults.last_line('Traceback\n  File "a"\nImportError: no libGL.\n') == (
        'ImportError: no libGL'
    )
    assert known_faults.last_line(' \n') == 'no message'
