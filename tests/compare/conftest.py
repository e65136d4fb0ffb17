from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT = {
    'train_cfg.max_iters': 4,
    'train_cfg.val_interval': 1000,
    'param_scheduler.0.end': 1,
    'param_scheduler.1.end': 4,
    'param_scheduler.1.T_max': 4,
    'default_hooks.checkpoint.interval': 2,
    'default_hooks.logger.interval': 1,
}


@pytest.fixture
def write_plan(tmp_path):
    """Write a plan of tiny trainings on the embedded data set; keywords replace its entries."""

    def write(**changes):
        shapes = ROOT / 'configs' / 'shapes'
        content = dict(
            name='tiny',
            seeds=2,
            shapes=dict(seed=1, num_train=8, num_val=4),
            options=SHORT,
            teacher=dict(config=str(shapes / 'faster-rcnn_r18w32_shapes.py'), options=SHORT),
            variants=dict(
                alone=dict(config=str(shapes / 'faster-rcnn_r18w16_shapes.py')),
                kd=dict(config=str(shapes / 'faster-rcnn_r18w32-r18w16_kd_shapes.py')),
            ),
            work_dir=str(tmp_path / 'work'),
        )
        content |= changes
        path = tmp_path / 'plan.py'
        lines = [f'{key} = {value!r}\n' for key, value in content.items() if value is not None]
        path.write_text(''.join(lines))
        return path

    return write
