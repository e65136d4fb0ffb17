import io
import random

import numpy as np
import pytest
import torch

from mmdet_kdrank.random_states import kept_random_states, random_state, set_random_state

DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.cuda)]


def draw(device):
    # The normal ones come in pairs, of which the generators keep the second.
    return [
        random.gauss(0, 1),
        random.random(),
        np.random.standard_normal(),
        np.random.rand(),
        torch.rand(3).tolist(),
        torch.rand(3, device=device).tolist(),
    ]


@pytest.mark.parametrize('device', DEVICES)
def test_goes_on_where_it_was_after_a_safe_file(device):
    draw(device)
    file = io.BytesIO()
    torch.save(random_state(), file)
    expected = [draw(device), draw(device)]
    file.seek(0)
    set_random_state(torch.load(file, weights_only=True, map_location=device))
    assert [draw(device), draw(device)] == expected


@pytest.mark.parametrize('device', DEVICES)
def test_what_happens_in_the_context_is_not_noticed(device):
    draw(device)
    with kept_random_states():
        expected = draw(device)
    with pytest.raises(ZeroDivisionError), kept_random_states():
        assert draw(device) == expected
        raise ZeroDivisionError
    assert draw(device) == expected
