from mmdet.registry import VISUALIZERS


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
