"""The op as torch's transforms see it: compile, opcheck, vmap, func."""

import pytest
import torch

from mmdet_kdrank.losses import KendallRankLoss
from mmdet_kdrank.ops import FORMS, kendall_tau, library

needs_library = pytest.mark.skipif(not library.AVAILABLE, reason='needs torch 2.5 or newer')
OPTIONS = (1.5, 'tanh', False, 'kendall', 1e-2, 'auto')


def inputs(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, *shape, generator=generator).to(dtype).unbind()


@needs_library
@pytest.mark.parametrize('derivative', [True, False])
@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_opcheck(derivative, masked, dtype):
    student, teacher = inputs(6, 9, dtype=dtype)
    mask = student > -1 if masked else None
    student.requires_grad_(derivative)
    torch.library.opcheck(
        torch.ops.mmdet_kdrank.kendall_tau.default,
        (student, teacher, mask, *OPTIONS, derivative),
    )


@needs_library
@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('dynamic', [False, True])
def test_compile_has_no_graph_break(form, dynamic):
    torch.compiler.reset()
    loss = KendallRankLoss(form=form)

    def step(student, teacher, weight):
        return loss(student * 2, teacher, weight=weight, avg_factor=3.0)

    compiled = torch.compile(step, fullgraph=True, backend='aot_eager', dynamic=dynamic)
    for rows in (6, 11):
        student, teacher = inputs(rows, 9)
        weight = torch.rand(rows)
        student.requires_grad_()
        results = []
        for function in (step, compiled):
            value = function(student, teacher, weight)
            results.append((value.detach(), torch.autograd.grad(value, student)[0]))
        torch.testing.assert_close(results[1], results[0])


@needs_library
def test_compiled_without_gradient():
    torch.compiler.reset()
    student, teacher = inputs(6, 9)
    compiled = torch.compile(kendall_tau, fullgraph=True, backend='aot_eager')
    assert torch.equal(compiled(student, teacher), kendall_tau(student, teacher))


@pytest.mark.parametrize('in_dims', [(0, 0, 0), (1, None, 2), (0, 1, None)])
def test_vmap_is_a_loop(in_dims):
    size, shapes = 3, (4, 6)
    generator = torch.Generator().manual_seed(0)

    def make(dim):
        shape = list(shapes)
        if dim is not None:
            shape.insert(dim, size)
        return torch.randn(shape, generator=generator)

    student, teacher, valid = (make(dim) for dim in in_dims)
    mask = valid > -1
    mapped = torch.vmap(kendall_tau, in_dims)(student, teacher, mask)
    values = (student, teacher, mask)
    expected = [
        kendall_tau(
            *(x if d is None else x.select(d, i) for x, d in zip(values, in_dims, strict=True))
        )
        for i in range(size)
    ]
    torch.testing.assert_close(mapped, torch.stack(expected))


def test_func_grad_and_its_vmap():
    student, teacher = inputs(3, 4, 6)
    loss = lambda s, t: kendall_tau(s, t).sum()  # noqa: E731
    mapped = torch.vmap(torch.func.grad(loss))(student, teacher)
    leaf = student.flatten(0, 1).requires_grad_()
    kendall_tau(leaf, teacher.flatten(0, 1)).sum().backward()
    torch.testing.assert_close(mapped.flatten(0, 1), leaf.grad)


def test_func_refuses_a_second_derivative():
    student, teacher = inputs(3, 6)
    inner = torch.func.grad(lambda s: kendall_tau(s, teacher).sum())
    with pytest.raises(RuntimeError, match='differentiable once'):
        torch.func.grad(lambda s: inner(s).square().sum())(student)


def test_forward_mode_is_refused():
    student, teacher = inputs(3, 6)
    with pytest.raises(RuntimeError, match='jvp'):
        torch.func.jvp(lambda s: kendall_tau(s, teacher), (student,), (student,))


@needs_library
def test_the_op_refuses_a_second_derivative():
    student, teacher = inputs(3, 6)
    student.requires_grad_()
    tau = torch.ops.mmdet_kdrank.kendall_tau(student, teacher, None, *OPTIONS, True)[0]
    (grad,) = torch.autograd.grad(tau.sum(), student, create_graph=True)
    with pytest.raises(RuntimeError, match='differentiable once'):
        grad.square().sum().backward()


def test_older_torch_traces_the_function(monkeypatch):
    monkeypatch.setattr(library, 'AVAILABLE', False)
    torch.compiler.reset()
    student, teacher = inputs(6, 9)
    student.requires_grad_()
    compiled = torch.compile(kendall_tau, backend='aot_eager')
    torch.testing.assert_close(compiled(student, teacher), kendall_tau(student, teacher))
