"""One training step of every distinct model that the configs describe."""

from __future__ import annotations

import json

import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper

from tests.configs.files import COCO, parsed, parts
from tests.detectors import raw_batch


def distinct() -> list[str]:
    """One config for each model: a step does not show the schedule.

    KD other than KL, and detectors with masks, take their step with the ranking loss only, which
    shows them too. Of mdistiller's setting, one pair shows the rest.
    """
    wanted = [
        name
        for name in COCO
        if (parts(name)['rank'] or (parts(name)['kd'] == 'kd' and 'mask' not in name))
        and (parts(name)['schedule'] != 'ms-180k' or parts(name)['student'] == 'r18')
    ]
    names = {json.dumps(parsed(name).model, sort_keys=True): name for name in wanted}
    return sorted(names.values())


@pytest.fixture(scope='session')
def teacher_checkpoint(tmp_path_factory):
    """Makes the checkpoint of a teacher config, once a session: those of ResNet-101 are large."""
    folder, made = tmp_path_factory.mktemp('teachers'), {}

    def make(config: str) -> str:
        if config not in made:
            model = get_config(config).model
            model.backbone.init_cfg = None
            torch.manual_seed(0)
            made[config] = str(folder / f'{len(made)}.pth')
            state = MODELS.build(model).state_dict()
            for key, value in state.items():
                if key in ('bbox_head.retina_cls.bias', 'roi_head.bbox_head.fc_cls.bias'):
                    # A head just initialised sees nothing anywhere.
                    value += torch.randn_like(value)
            torch.save(state, made[config])
        return made[config]

    return make


def small(config: Config, checkpoint: str) -> Config:
    """A copy with local weights and few RoIs."""
    config = Config(config.to_dict())
    # An untrained one.
    config.model.teacher.update(checkpoint=checkpoint, verify=False)
    config.model.backbone.init_cfg = None
    if 'roi_head' in config.model:
        config.model.train_cfg.rpn_proposal.max_per_img = 32
        stages = config.model.train_cfg.rcnn
        for stage in stages if isinstance(stages, list) else [stages]:
            stage.sampler.num = 16
    return config


@pytest.mark.parametrize('name', distinct())
def test_one_step(name, teacher_checkpoint):
    config = parsed(name)
    config = small(config, teacher_checkpoint(config.model.teacher.config))
    MessageHub.get_current_instance().update_info('dataset_meta', CocoDataset.METAINFO)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    model.train()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    unused = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    for key in list(unused):
        model.get_parameter(key).register_hook(lambda _, key=key: unused.discard(key))

    masks = 'mask_head' in config.model.get('roi_head', {})
    batch = raw_batch(shapes=((96, 96), (64, 96)), num_classes=80, masks=masks)
    log = model.train_step(batch, optimizer)

    # What DistributedDataParallel stops at in its second iteration, unless it is told.
    wrapper = config.get('model_wrapper_cfg', {})
    assert bool(unused) == wrapper.get('find_unused_parameters', False), unused
    assert all(torch.isfinite(torch.as_tensor(value)) for value in log.values()), log
    stages = ('s0.', 's1.', 's2.') if 'cascade' in name else ('',)
    for stage in stages:
        assert {f'{stage}distill_tau', f'{stage}distill_top1'} <= log.keys()
        assert (f'{stage}loss_rank' in log) == ('-rank' in name)
        assert all(log[stage + key] > 0 for key in config.model.distill_losses)
        assert (log.get(f'{stage}loss_mask', 0) > 0) == masks
    assert all(log[key] > 0 for key in config.model.get('distill_features', {}))
    after = model.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    head = next(key for key in after if 'bbox_head' in key and 'cls' in key)
    assert not torch.equal(before[head], after[head])
