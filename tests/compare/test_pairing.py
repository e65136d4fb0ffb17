"""What the runs of one seed share: initial weights of the student, and the data in its order."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet_kdrank.compare.experiment import TEACHER, runs_of
from mmdet_kdrank.compare.plan import read_plan
from mmdet_kdrank.datasets.shapes.folder import write_shapes

SHAPES = Path(__file__).parents[2] / 'configs' / 'shapes'
VARIANTS = {
    'alone': 'faster-rcnn_r18w16_shapes.py',
    'kd': 'faster-rcnn_r18w32-r18w16_kd_shapes.py',
    'kd-rank': 'faster-rcnn_r18w32-r18w16_kd-rank_shapes.py',
}


class Enough(Exception):
    pass


class Watch(Hook):
    """Keeps the weights before the first iteration and the first batches, and stops."""

    def __init__(self):
        self.weights, self.batches = {}, []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if not self.batches:
            self.weights = {k: v.clone() for k, v in runner.model.state_dict().items()}
        self.batches.append(data_batch)
        if len(self.batches) == 3:
            raise Enough


@pytest.fixture(scope='module')
def seen(tmp_path_factory):
    """What each run of two seeds began with."""
    folder = tmp_path_factory.mktemp('pairing')
    options = {'train_dataloader.batch_size': 2}
    content = dict(
        seeds=2,
        shapes=dict(num_train=6, num_val=1),
        teacher=dict(config=str(SHAPES / 'faster-rcnn_r18w32_shapes.py')),
        variants={name: dict(config=str(SHAPES / file)) for name, file in VARIANTS.items()},
        options=options,
        work_dir=str(folder / 'work'),
    )
    (folder / 'plan.py').write_text(''.join(f'{k} = {v!r}\n' for k, v in content.items()))
    plan = read_plan(folder / 'plan.py')
    write_shapes(plan.data, plan.images)
    found = {}
    for run in runs_of(plan):
        settings = run.training.settings
        if run.variant == TEACHER:
            run.training.command(folder)  # writes the config that the students name
            run.training.folder.mkdir()
            model = MODELS.build(settings.model)
            torch.save({'state_dict': model.state_dict()}, run.training.checkpoint)
            continue
        config = Config(settings.to_dict())
        config.work_dir, config.experiment_name = str(run.training.folder), run.training.name
        config.default_hooks.logger.interval = 1
        runner = Runner.from_cfg(config)
        watch = Watch()
        runner.register_hook(watch)
        with pytest.raises(Enough):
            runner.train()
        found[run.variant, run.seed] = watch
    return found


def pictures(watch):
    return [
        (sample.img_id, sample.flip, sample.get('flip_direction'), picture)
        for batch in watch.batches
        for picture, sample in zip(batch['inputs'], batch['data_samples'], strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize('variant', ['kd', 'kd-rank'])
def test_runs_of_a_seed_begin_with_the_same_weights_and_pictures(seen, variant):
    for seed in (0, 1):
        one, other = seen['alone', seed], seen[variant, seed]
        assert one.weights.keys() == other.weights.keys()
        for key, value in one.weights.items():
            assert torch.equal(value, other.weights[key]), key
        for ours, theirs in zip(pictures(one), pictures(other), strict=True):
            assert ours[:3] == theirs[:3]
            assert torch.equal(ours[3], theirs[3])


@pytest.mark.slow
def test_another_seed_begins_otherwise(seen):
    one, other = seen['alone', 0], seen['alone', 1]
    key = 'roi_head.bbox_head.fc_cls.weight'
    assert not torch.equal(one.weights[key], other.weights[key])
    assert [each[0] for each in pictures(one)] != [each[0] for each in pictures(other)]
