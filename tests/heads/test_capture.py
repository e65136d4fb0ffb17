import pytest
import torch
from torch import nn

from mmdet_kdrank.heads.capture import watch_forward, watch_method


class Scaler(nn.Module):
    def forward(self, x, factor=2):
        return x * factor

    def shift(self, x, by=1):
        return x + by


def test_watch_method_names_arguments_and_result():
    seen, module = [], Scaler()
    with watch_method(module, 'shift', lambda *call: seen.append(call)):
        assert module.shift(torch.tensor(1), by=3) == 4
    assert seen == [({'x': torch.tensor(1), 'by': 3}, torch.tensor(4))]


def test_watch_method_ends_with_the_context():
    seen, module = [], Scaler()
    with (
        pytest.raises(ZeroDivisionError),
        watch_method(module, 'shift', lambda *call: seen.append(call)),
    ):
        raise ZeroDivisionError
    module.shift(torch.tensor(1))
    assert not seen
    assert 'shift' not in vars(module)


def test_watch_method_gives_back_what_shadowed_the_method():
    module = Scaler()
    module.shift = own = lambda x: -x
    with watch_method(module, 'shift', lambda *_: None):
        assert module.shift(torch.tensor(1)) == -1
    assert module.shift is own


def test_watch_forward_names_arguments_in_order_of_the_signature():
    seen, module = [], Scaler()
    with watch_forward(module, lambda *call: seen.append(call)):
        module(factor=3, x=torch.tensor(2))
    module(torch.tensor(1))
    assert [list(arguments) for arguments, _ in seen] == [['x', 'factor']]
    assert seen[0][1] == 6


def test_watches_may_be_nested():
    seen, module = [], Scaler()

    def remember(arguments, _):
        seen.append(arguments)

    with watch_method(module, 'shift', remember), watch_method(module, 'shift', remember):
        module.shift(torch.tensor(1), 5)
    assert seen == 2 * [{'x': torch.tensor(1), 'by': 5}]
    assert 'shift' not in vars(module)
