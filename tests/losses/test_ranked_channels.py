"""Which channels of a row are ranked."""

import pytest
import torch

from mmdet_kdrank.losses.ranked_channels import RankedChannels

TEACHER = torch.tensor([[5.0, 1.0, 3.0, 0.0, 2.0], [0.0, 1.0, 2.0, 3.0, 4.0]])
LABELS = torch.tensor([0, 2])


def chosen(*arguments, **options):
    return [sorted(row) for row in RankedChannels(*arguments, **options)(TEACHER, LABELS).tolist()]


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({}, [[0, 1, 2, 3, 4]] * 2),
        ({'without_target': True}, [[1, 2, 3, 4], [0, 1, 3, 4]]),
        ({'channels': 'top', 'keep': 3}, [[0, 2, 4], [2, 3, 4]]),
        ({'channels': 'bottom', 'keep': 2}, [[1, 3], [0, 1]]),
        ({'channels': 'top', 'keep': 0.6}, [[0, 2, 4], [2, 3, 4]]),
        ({'channels': 'bottom', 'keep': 0.01}, [[1, 3], [0, 1]]),
        ({'channels': 'top', 'keep': 2, 'without_target': True}, [[2, 4], [3, 4]]),
    ],
)
def test_channels(options, expected):
    assert chosen(**options) == expected


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'channels': 'best'}, "channels='best' is unknown; choose one of all, bottom, top"),
        ({'keep': 0.1}, "keep=0.1 has no meaning with channels='all'"),
        ({'channels': 'top'}, "keep=None with channels='top' must be a share"),
        ({'channels': 'top', 'keep': 1.0}, 'keep=1.0 .* must be a share'),
        ({'channels': 'bottom', 'keep': 2, 'least': 3}, 'a whole number of at least 3'),
        ({'channels': 'top', 'keep': 6}, "channels='top' keeps 6 channels and a row has 5"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        chosen(**options)
