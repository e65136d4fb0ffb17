from __future__ import annotations

import json

import pytest
import torch

from tests.detectors import FASTER, RETINA, small_config
from tests.training import (
    EPOCHS,
    VALIDATION,
    Killed,
    assert_same,
    train,
    training_config,
    weights,
)

WORKERS = dict(train_dataloader=dict(num_workers=2, persistent_workers=False))
# Writes the checkpoint of the best validation again, after that validation.
BEST = dict(default_hooks=dict(checkpoint=dict(save_best='pictures', rule='greater')))
CASES = {
    'two-stage': (FASTER, {}),
    'dense': (RETINA, {}),
    'epochs': (RETINA, EPOCHS),
    'validation': (RETINA, {**VALIDATION, 'train_cfg': dict(val_interval=2), **BEST}),
    'workers': (FASTER, WORKERS),
}
QUICK = 'two-stage'
# MMEngine's endless loaders take torch ten seconds to shut down.
AFTER = dict(epochs=(8, 17), workers=(3,))


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
    """A function that gives a case's config and the folder of its uninterrupted training."""
    done = {}

    def make(case):
        if case not in done:
            name, options = CASES[case]
            folder = tmp_path_factory.mktemp(case)
            done[case] = training_config(name, folder, **options), folder / 'work'
            train(*done[case])
        return done[case]

    return make


def without(config, hook):
    config = config.copy()
    config.custom_hooks = [entry for entry in config.custom_hooks if entry['type'] != hook]
    return config


def interrupted(config, work_dir, after):
    """Train, die after an iteration's step as by signal 9, and go on."""
    dying = config.copy()
    dying.custom_hooks = [*config.custom_hooks, dict(type='Strike', after=after)]
    with pytest.raises(Killed):
        train(dying, work_dir)
    return train(config, work_dir, resume=True)


def last(work_dir):
    return (work_dir / 'last_checkpoint').read_text().rpartition('/')[2]


def seen(work_dir):
    """What the iterations saw, by their number; what was repeated, the second time."""
    lines = (work_dir / 'seen.0').read_text().splitlines()
    return {int(number): rest for number, _, rest in (line.partition(' ') for line in lines)}


def scalars(work_dir, name):
    lines = [
        json.loads(line)
        for file in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for line in file.read_text().splitlines()
    ]
    return {line['step']: line[name] for line in lines if name in line}


@pytest.mark.parametrize(
    ('case', 'after'),
    [
        pytest.param(case, after, marks=[] if (case, after) == (QUICK, 6) else pytest.mark.slow)
        for case in CASES
        for after in AFTER.get(case, (3, 6, 7))
    ],
)
def test_killed_and_resumed_it_ends_bit_for_bit_the_same(uninterrupted, tmp_path, case, after):
    config, whole = uninterrupted(case)
    interrupted(config, tmp_path, after)
    assert seen(tmp_path) == seen(whole)
    assert last(tmp_path) == last(whole)
    assert_same(weights(tmp_path / last(whole)), weights(whole / last(whole)))


def test_without_the_hook_data_and_schedules_go_on_as_the_stock_students(uninterrupted, tmp_path):
    """The pictures, their order, the learning rate and the EMA's count; not what is drawn."""
    config, whole = uninterrupted(QUICK)
    distilled = without(config, 'RandomStateHook')
    interrupted(distilled, tmp_path / 'distilled', 5)
    stock = distilled.copy()
    stock.model = small_config(FASTER)
    stock.default_hooks = {
        **config.default_hooks,
        'checkpoint': dict(type='CheckpointHook', by_epoch=False, interval=2),
    }
    interrupted(stock, tmp_path / 'stock', 5)

    pictures = [
        {number: [picture for picture, _ in eval(line)] for number, line in seen(folder).items()}
        for folder in (whole, tmp_path / 'distilled', tmp_path / 'stock')
    ]
    assert pictures[0] == pictures[1] == pictures[2]
    rates = [
        scalars(folder, 'lr') for folder in (whole, tmp_path / 'distilled', tmp_path / 'stock')
    ]
    assert rates[0] == rates[1] == rates[2]
    steps = [
        weights(folder / 'iter_8.pth')['ema_state_dict.steps']
        for folder in (whole, tmp_path / 'distilled', tmp_path / 'stock')
    ]
    assert steps[0] == steps[1] == steps[2] == 8
    one, other = weights(whole / 'iter_8.pth'), weights(tmp_path / 'distilled' / 'iter_8.pth')
    name = 'state_dict.roi_head.bbox_head.fc_cls.weight'
    assert not torch.equal(one[name], other[name])


def test_a_checkpoint_without_states_is_told(uninterrupted, tmp_path, caplog):
    config, _ = uninterrupted(QUICK)
    config = config.copy()
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
    train(without(config, 'RandomStateHook'), tmp_path)
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=3)
    train(config, tmp_path, resume=True)
    log = ''.join(file.read_text() for file in tmp_path.glob('*/*.log'))
    assert 'the checkpoint has no random states' in log


def test_another_seed_is_refused(uninterrupted, tmp_path):
    config, whole = uninterrupted(QUICK)
    config = config.copy()
    config.randomness = dict(seed=6)
    with pytest.raises(ValueError, match=r'randomness\.seed is 6 .* with 5.*randomness\.seed=5'):
        train(config, tmp_path, resume=str(whole / 'iter_4.pth'))


def test_another_number_of_processes_is_refused(uninterrupted, tmp_path):
    config, whole = uninterrupted(QUICK)
    checkpoint = torch.load(whole / 'iter_4.pth', map_location='cpu')
    checkpoint['random_states'] *= 2
    torch.save(checkpoint, tmp_path / 'two.pth')
    with pytest.raises(ValueError, match='written by 2 processes and this run has 1'):
        train(config, tmp_path, resume=str(tmp_path / 'two.pth'))


def test_fine_tuning_starts_with_its_own_states(uninterrupted, tmp_path):
    """`load_from` without `resume` takes the weights alone, whatever the seed."""
    config, whole = uninterrupted(QUICK)
    config = config.copy()
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
    config.randomness = dict(seed=6)
    train(config, tmp_path / 'scratch')
    config.load_from = str(whole / 'iter_8.pth')
    train(config, tmp_path / 'tuned')
    assert seen(tmp_path / 'tuned') == seen(tmp_path / 'scratch')


def test_workers_that_outlive_an_epoch_are_refused(tmp_path):
    workers = dict(num_workers=1, persistent_workers=True)
    config = training_config(RETINA, tmp_path, **EPOCHS)
    config.train_dataloader = {**config.train_dataloader, **workers}
    with pytest.raises(ValueError, match='Set train_dataloader.persistent_workers=False'):
        train(config, tmp_path / 'work')
