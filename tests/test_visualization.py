import re
from types import SimpleNamespace

from mmdet.registry import VISUALIZERS
from mmengine.visualization import MLflowVisBackend

from mmdet_kdrank.visualization import let_mlflow_take_all_names

NAMES = ('cat', '猫 | <b>&"\'/ñ', 'dog (small)', '/', '..')


def test_tensorboard_joins_the_other_backends(tmp_path):
    visualizer = VISUALIZERS.build(
        dict(
            type='DetTensorboardVisualizer',
            name='tensorboard-joins',
            vis_backends=[dict(type='LocalVisBackend')],
            save_dir=str(tmp_path),
        )
    )
    visualizer.add_scalar('distill_tau', 0.5, 1)
    visualizer.close()
    assert (tmp_path / 'vis_data' / 'scalars.json').read_text().strip() == (
        '{"distill_tau": 0.5, "step": 1}'
    )
    assert list(tmp_path.rglob('events.out.tfevents.*'))


def test_tensorboard_stands_alone(tmp_path):
    visualizer = VISUALIZERS.build(
        dict(type='DetTensorboardVisualizer', name='tensorboard-alone', save_dir=str(tmp_path))
    )
    visualizer.add_scalar('distill_tau', 0.5, 1)
    visualizer.close()
    assert list(tmp_path.rglob('events.out.tfevents.*'))


def test_mlflow_and_tensorboard_take_all_class_names(tmp_path, monkeypatch):
    logged = {}
    values = {f'coco/{name}_precision': 0.5 for name in NAMES}
    monkeypatch.setattr(MLflowVisBackend, 'add_scalars', MLflowVisBackend.add_scalars)
    let_mlflow_take_all_names()
    backend = MLflowVisBackend(str(tmp_path))
    backend._env_initialized = True
    backend._mlflow = SimpleNamespace(log_metrics=lambda scalars, step: logged.update(scalars))
    backend.add_scalars(values, step=1)
    assert len(logged) == len(NAMES) and 'coco/cat_precision' in logged
    for name in logged:
        # What MLflow asks of a name.
        assert re.fullmatch(r'[/\w.\- ]+', name)
        assert all(part.strip('.') for part in name.split('/'))
    visualizer = VISUALIZERS.build(
        dict(type='DetTensorboardVisualizer', name='class-names', save_dir=str(tmp_path))
    )
    visualizer.add_scalars(values, 1)
    visualizer.close()
    assert list(tmp_path.rglob('events.out.tfevents.*'))
