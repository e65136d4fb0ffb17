import pytest
from mmdet.models.detectors import FasterRCNN
from mmdet.registry import MODELS

from mmdet_kdrank.distillers.lost_overrides import assert_nothing_lost
from tests.detectors import FASTER


@MODELS.register_module(force=True)
class CountingRCNN(FasterRCNN):
    """A user's own detector that overrides ``loss``."""

    def loss(self, *args):
        losses = super().loss(*args)
        return {**losses, 'count': losses['loss_cls'].new_tensor(1.0)}


def write_configs(folder, student, distiller):
    (folder / 'stock.py').write_text(
        f"_base_ = 'mmdet::{FASTER}'\nmodel = dict(type='{student}')\n"
    )
    path = folder / 'distil.py'
    path.write_text(f"_base_ = './stock.py'\nmodel = dict({distiller})\n")
    return str(path)


@pytest.mark.parametrize(
    ('student', 'distiller'),
    [
        ('FasterRCNN', "type='DistillTwoStageDetector'"),
        ('CountingRCNN', "type='DistillTwoStageDetector', student_type='CountingRCNN'"),
        ('CountingRCNN', "type='CountingRCNN'"),
    ],
)
def test_configs_that_lose_nothing(tmp_path, student, distiller):
    assert_nothing_lost(write_configs(tmp_path, student, distiller))


@pytest.mark.parametrize(
    'kind', ['mmdet.models.detectors:RetinaNet', 'mmdet_kdrank.distillers:DistillTwoStageDetector']
)
def test_configs_in_pure_python_name_classes(tmp_path, kind):
    module, name = kind.split(':')
    path = tmp_path / 'lazy.py'
    path.write_text(f'from {module} import {name}\nmodel = dict(type={name})\n')
    assert_nothing_lost(str(path))


def test_a_config_that_loses_an_override_is_refused(tmp_path):
    config = write_configs(tmp_path, 'CountingRCNN', "type='DistillTwoStageDetector'")
    with pytest.raises(
        TypeError,
        match="loses what CountingRCNN overrides: loss. Keep .* student_type='CountingRCNN'",
    ):
        assert_nothing_lost(config)
