from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, DefaultScope

from tests.projects.steps import check_family, distiller, from_scratch, installed, rows_of

installed('mmyolo')

FAMILIES = {
    'YOLOv5': 'yolov5/yolov5_n-v61_syncbn_fast_8xb16-300e_coco.py',
    'YOLOv6': 'yolov6/yolov6_n_syncbn_fast_8xb32-300e_coco.py',
    'YOLOv7': 'yolov7/yolov7_tiny_syncbn_fast_8x16b-300e_coco.py',
    'YOLOv8': 'yolov8/yolov8_n_syncbn_fast_8xb16-500e_coco.py',
    'YOLOX': 'yolox/yolox_tiny_fast_8xb8-300e_coco.py',
    'PPYOLOE': 'ppyoloe/ppyoloe_plus_s_fast_8xb8-80e_coco.py',
    'RTMDet': 'rtmdet/rtmdet_tiny_syncbn_fast_8xb32-300e_coco.py',
}
LARGE = 'yolov7/yolov7_w-p6_syncbn_fast_8x16b-300e_coco.py'
EXAMPLE = Path(__file__).parents[2] / 'examples/other_projects/configs/yolov8_m-s_kd-rank_coco.py'


@pytest.fixture(autouse=True)
def scope():
    hub = MessageHub.get_current_instance()
    hub.runtime_info.update(epoch=0, max_epochs=10, iter=0)
    with DefaultScope.overwrite_default_scope('mmyolo'):
        yield
    hub.runtime_info.clear()


def model_of(name):
    model = from_scratch(get_config(f'mmyolo::{name}').model)
    for augment in model.data_preprocessor.get('batch_augments', []):
        augment.random_size_range = (128, 128)
    return model


def batch_of(model, size=128):
    """Two images as MMYOLO's loader gives them."""
    generator = torch.Generator().manual_seed(0)
    corner = 60 * torch.rand(8, 2, generator=generator)
    extent = 20 + 40 * torch.rand(8, 2, generator=generator)
    label = torch.randint(80, (8, 1), generator=generator)
    image = torch.arange(2).repeat_interleave(4)[:, None]
    boxes = torch.cat([image, label, corner, corner + extent], 1).float()
    images = torch.randint(256, (2, 3, size, size), generator=generator, dtype=torch.uint8)
    listed = model.data_preprocessor.type == 'PPYOLOEDetDataPreprocessor'
    inputs = list(images) if listed else images
    return dict(inputs=inputs, data_samples=dict(bboxes_labels=boxes))


@pytest.mark.parametrize('family', FAMILIES)
def test_family(family, tmp_path):
    model = model_of(FAMILIES[family])
    check_family(model, tmp_path, lambda: batch_of(model))


def test_a_teacher_of_another_normalisation_sees_its_own_images(tmp_path):
    student, teacher = (model_of(FAMILIES['YOLOv8']) for _ in range(2))
    teacher.data_preprocessor.update(mean=[103.5, 116.3, 123.7], std=[57.4, 57.1, 58.4])
    teacher.data_preprocessor.bgr_to_rgb = False
    model = distiller(student, teacher, tmp_path)
    rows, _ = rows_of(model, batch_of(student))
    alone = MODELS.build(teacher).eval()
    alone.load_state_dict(torch.load(tmp_path / 'teacher.pth')['state_dict'])
    images = alone.data_preprocessor.train()(batch_of(student), True)['inputs']
    with torch.no_grad():
        maps = alone(images, mode='tensor')[0]
    expected = torch.cat([m.permute(0, 2, 3, 1).reshape(-1, 80) for m in maps])
    torch.testing.assert_close(rows[0].teacher, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_auxiliary_maps_are_refused_for_the_student_alone(tmp_path):
    teacher, student = model_of(LARGE), model_of(LARGE)
    with pytest.raises(TypeError, match='auxiliary branch.*use_aux=False for the student'):
        distiller(student, teacher, tmp_path)
    student.bbox_head.head_module.use_aux = False
    rows, values = rows_of(distiller(student, teacher, tmp_path), batch_of(student, 128))
    assert len(rows[0]) and values['loss_rank'] > 0


def test_a_head_module_of_another_project_must_be_declared(tmp_path):
    from mmyolo.models.dense_heads import YOLOv8HeadModule

    class OwnModule(YOLOv8HeadModule):
        def forward_single(self, x, cls_pred, reg_pred):
            scores, *others = super().forward_single(x, cls_pred, reg_pred)
            return scores.sigmoid(), *others

    model = model_of(FAMILIES['YOLOv8'])
    model.bbox_head.head_module.type = OwnModule
    with pytest.raises(TypeError, match='OwnModule.*declares no class output'):
        distiller(model, model, tmp_path)


def test_the_example_builds():
    config = Config.fromfile(EXAMPLE)
    student = MODELS.build(from_scratch(config.model))
    assert type(student).__name__ == 'DistillSingleStageDetectorOverYOLODetector'
    assert config.default_scope == 'mmyolo'
