"""Distillation asks a GPU for little: each question waits until the device is idle."""

import pytest
import torch

from benchmarks.host_reads import CONFIGS, HostReads, host_reads

SELECTORS = {
    'AllSamples': ('Faster R-CNN', 'RetinaNet'),
    'TopkSamples': ('RetinaNet',),
    'ScoreWeightedSamples': ('Faster R-CNN', 'RetinaNet'),
}


def test_questions_are_counted_and_other_operations_are_not():
    with HostReads() as reads:
        values = torch.arange(6.0)
        values[torch.tensor([1, 2])].sum()
        assert not reads.lines
        float(values.sum())
        values[values > 2].sum()
        values.nonzero()
    assert reads.lines.total() == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ('selector', 'family'),
    [(selector, family) for selector, families in SELECTORS.items() for family in families],
)
def test_a_step_asks_once_for_the_guard(selector, family):
    reads = host_reads(CONFIGS[family], dict(type=selector))
    lines = {line: count for line, count in reads.items() if ':' in line}
    assert sum(lines.values()) == 1, lines
    assert next(iter(lines)).startswith('ops/checks.py')


@pytest.mark.slow
@pytest.mark.parametrize('family', CONFIGS)
def test_positive_rows_are_counted_once_more(family):
    reads = host_reads(CONFIGS[family], dict(type='PositiveSamples'))
    assert sum(count for line, count in reads.items() if ':' in line) == 2
