"""All candidates compute the same thing, in one piece or in slices."""

from functools import partial

import pytest
import torch

from benchmarks.candidates import CANDIDATES, calls, forward_backward, inputs, refusal

SIZE = (6, 7)


def gradient(name, form):
    if reason := refusal(name, 'cpu', form):
        pytest.skip(reason)
    return forward_backward(name, *SIZE, form, 'cpu')()


@pytest.mark.parametrize('form', ['kendall', 'cosine'])
@pytest.mark.parametrize('name', [n for n in CANDIDATES if n not in ('torchsort', 'torch.compile')])
def test_gradient_is_that_of_the_reference(name, form):
    expected = gradient('reference', form)
    torch.testing.assert_close(gradient(name, form), expected, rtol=1e-4, atol=1e-8)


def test_compiled_formula_is_traced_without_a_break(monkeypatch):
    traced = partial(torch.compile, backend='eager', fullgraph=True)
    monkeypatch.setattr(torch, 'compile', traced)
    expected = gradient('reference', 'kendall')
    computed = forward_backward('torch.compile', *SIZE, 'kendall', 'cpu')()
    torch.testing.assert_close(computed, expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize('name', ['reference', 'plain autograd'])
def test_slices_give_what_the_whole_gives(name, monkeypatch):
    expected = gradient(name, 'kendall')
    monkeypatch.setattr(calls, '_PAIRS_BYTES', 4 * 49 * 4)
    torch.testing.assert_close(gradient(name, 'kendall'), expected)


def test_inputs_are_the_same_each_time():
    first, again = inputs(3, 4, 'cpu'), inputs(3, 4, 'cpu', scale=6.0)
    assert first[0].requires_grad
    assert not first[1].requires_grad
    for one, two in zip(first, again, strict=True):
        torch.testing.assert_close(2 * one, two)


def test_refusal_gives_the_reason(monkeypatch):
    assert refusal('reference', 'cpu', 'kendall') == ''

    def prepare():
        raise ModuleNotFoundError("No module named 'nowhere'\nat all")

    monkeypatch.setitem(CANDIDATES, 'nowhere', CANDIDATES['reference']._replace(prepare=prepare))
    assert refusal('nowhere', 'cpu', 'kendall') == (
        "ModuleNotFoundError: No module named 'nowhere'"
    )


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="candidate 'numba' is unknown; choose one of reference"):
        forward_backward('numba', *SIZE, 'kendall', 'cpu')
    with pytest.raises(ValueError, match="candidate 'numba' is unknown"):
        refusal('numba', 'cpu', 'kendall')
    with pytest.raises(ValueError, match='C = 1: a ranking needs at least 2 classes'):
        forward_backward('reference', 4, 1, 'kendall', 'cpu')
