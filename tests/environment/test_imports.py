"""Which of several failed imports is named; the texts themselves are test_known_faults.py's."""

import pytest

from mmdet_kdrank.environment import Facts, imports

EXTENSION = {'mmcv._ext': 'ImportError: undefined symbol: _ZN3c10'}


@pytest.mark.parametrize('cause', ['torch', 'pkg_resources', 'cv2'])
def test_what_breaks_mmcv_is_named_in_its_place(cause):
    assert imports.mmcv_ops(Facts({}, (3, 12), EXTENSION))
    assert imports.mmcv_ops(Facts({}, (3, 12), {**EXTENSION, cause: 'ImportError: no'})) is None


def test_what_breaks_mmdet_is_named_in_its_place():
    mmdet = {'mmdet': 'ImportError: no'}
    assert imports.mmdet_import(Facts({}, (3, 12), mmdet))
    assert imports.mmdet_import(Facts({}, (3, 12), {**mmdet, **EXTENSION})) is None


@pytest.mark.parametrize('probe', [imports.triton, imports.mmcv_cuda_ops])
def test_a_card_that_is_not_there_needs_nothing(probe):
    failed = {'triton': 'ImportError: no', 'CUDA ops': 'AssertionError: no'}
    assert probe(Facts({}, (3, 12), failed))
    assert probe(Facts({}, (3, 12), {**failed, 'CUDA': 'AssertionError: no device'})) is None


def test_last_line_says_what_happened():
    assert imports.last_line('Traceback\n  File "a"\nImportError: no libGL.\n') == (
        'ImportError: no libGL'
    )
    assert imports.last_line(' \n') == 'no message'
