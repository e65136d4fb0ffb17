from contextlib import nullcontext

import pytest
import torch
from mmengine.optim import OptimWrapper

from mmdet_kdrank.diagnostics.iteration import IterationWatch
from mmdet_kdrank.ops.agreement import MAX_ROWS
from tests.detectors import (
    ATSS,
    CASCADE,
    FASTER,
    RETINA,
    build,
    distiller_config,
    save_teacher,
    small_config,
    training_losses,
)
from tests.distributed.detectors import batch, distiller, wrap
from tests.distributed.ranks import run_ranks
from tests.distributed.test_training import digest

EDGES, TOPK = (0.25, 0.5), (1, 3)
HEADS = {FASTER: [''], CASCADE: ['s0.', 's1.', 's2.'], RETINA: [''], ATSS: ['']}


@pytest.fixture
def model(request, tmp_path):
    teacher = small_config(request.param, width=8)
    checkpoint = save_teacher(teacher, tmp_path / 'teacher.pth')
    return build(distiller_config(small_config(request.param), teacher, checkpoint))


def watched(model, **options):
    with IterationWatch(model, EDGES, TOPK, **options).watch() as values:
        losses = training_losses(model)
    return losses, values


@pytest.mark.parametrize(
    ('model', 'amp'),
    # On the CPU RoIAlign knows no bfloat16.
    [*((name, False) for name in HEADS), (RETINA, True), (ATSS, True)],
    indirect=['model'],
)
def test_losses_are_watched_and_not_changed(model, amp, request):
    prefixes = HEADS[request.node.callspec.params['model']]
    with torch.autocast('cpu', torch.bfloat16) if amp else nullcontext():
        losses, values = watched(model)
        if not amp:  # two passes of a CPU's bfloat16 convolutions may differ by themselves
            plain = training_losses(model)
            assert plain.keys() == losses.keys()
    for prefix in prefixes:
        for name in ('loss_kd', 'loss_rank'):
            total = float(losses[prefix + name].detach())
            assert values[prefix + name] == total
            parts = [values[f'{prefix}{name}.{side}'] for side in ('foreground', 'background')]
            assert sum(parts) == pytest.approx(total, rel=1e-2 if amp else 1e-4)
            levels = [v for key, v in values.items() if key.startswith(f'{prefix}{name}.level')]
            assert not levels or sum(levels) == pytest.approx(total, rel=1e-2 if amp else 1e-4)
            assert bool(levels) == (not prefix and model.family.__name__ == 'SingleStageDetector')
            assert values[f'{prefix}gradient.{name}.ratio'] > 0
            assert -1 <= values[f'{prefix}gradient.{name}.cosine'] <= 1
        if values[f'{prefix}tau.rows'] <= MAX_ROWS:  # else the log looks at fewer
            expected = float(losses[f'{prefix}distill_tau'])
            assert values[f'{prefix}tau'] == pytest.approx(expected, abs=1e-5)
    assert 'loss' not in vars(model) and 'compare' not in vars(model)


@pytest.mark.parametrize('model', [FASTER, RETINA], indirect=True)
def test_gradients_are_those_that_reach_the_class_layer(model):
    """At a class layer's bias a gradient is the sum over the logits' gradients."""
    head = (
        model.roi_head.bbox_head.fc_cls
        if hasattr(model, 'roi_head')
        else model.bbox_head.retina_cls
    )
    seen = []
    head.register_forward_hook(lambda _, __, out: seen.append(out))
    losses, values = watched(model)
    distilled = losses['loss_rank']
    own = sum(
        sum(value) if isinstance(value, list) else value
        for name, value in losses.items()
        if 'loss' in name and name not in ('loss_kd', 'loss_rank')
    )
    ours, theirs = (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, seen, retain_graph=True)])
        for loss in (distilled, own)
    )
    assert values['gradient.loss_rank.ratio'] == pytest.approx(float(ours.norm() / theirs.norm()))
    cosine = torch.nn.functional.cosine_similarity(ours, theirs, dim=0)
    assert values['gradient.loss_rank.cosine'] == pytest.approx(float(cosine), abs=1e-5)


@pytest.mark.parametrize('model', [RETINA], indirect=True)
def test_classes_have_the_names_of_the_training_set(model, monkeypatch):
    for module in ('distillers.session', 'diagnostics.iteration'):
        monkeypatch.setattr(f'mmdet_kdrank.{module}.training_classes', lambda: tuple('abcde'))
    _, values = watched(model)
    named = {name for name in values if name.startswith('tau.class.')}
    assert named and named <= {f'tau.class.{c}{end}' for c in 'abcde' for end in ('', '.rows')}


def step(rank: int, name: str, checkpoint: str, look: bool) -> tuple[str, int]:
    model = wrap(distiller(name, checkpoint))
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
    torch.manual_seed(rank)
    seen = 0
    for number in range(3):
        watch = IterationWatch(model.module, EDGES, TOPK)
        with watch.watch() if look and rank == 0 else nullcontext({}) as values:
            # The second rank has no object in the first batch.
            objects = 2 if rank == 0 or number else 0
            model.train_step(batch((objects,) * 2, first=100 * rank + 2 * number), wrapper)
        seen += len(values)
    return digest(model.module), seen


@pytest.mark.slow
@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_one_of_two_ranks_looks_on_and_both_learn_the_same(tmp_path, name):
    teacher = save_teacher(small_config(name, width=8), tmp_path / 'teacher.pth')
    plain = run_ranks(2, step, name, teacher, False)
    seen = run_ranks(2, step, name, teacher, True)
    assert {d for d, _ in plain} == {d for d, _ in seen} and len({d for d, _ in seen}) == 1
    assert seen[0][1] > 0 and seen[1][1] == 0
