from copy import deepcopy

from experiments.survey.lean import PAD, PROPOSALS, ROIS, lean_model

URL = 'https://example.org/weights.pth'
MODEL = dict(
    type='CascadeRCNN',
    data_preprocessor=dict(batch_augments=[dict(type='BatchFixedSizePad', size=(1024, 1024))]),
    backbone=dict(
        depth=50,
        pretrained=URL,
        init_cfg=dict(type='Pretrained', checkpoint=URL),
        stages=[dict(init_cfg=dict(checkpoint=URL), width=8)],
    ),
    bbox_head=dict(init_cfg=dict(type='Normal', std=0.01)),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=2000, max_per_img=1000),
        rcnn=[dict(sampler=dict(num=512)), dict(sampler=dict(type='PseudoSampler'))],
    ),
)


def test_weights_go_and_the_rest_stays():
    lean = lean_model(MODEL)
    assert lean['backbone'] == dict(depth=50, stages=[dict(width=8)])
    assert lean['bbox_head'] == MODEL['bbox_head']
    assert lean['type'] == 'CascadeRCNN'


def test_few_rois_and_small_pads():
    lean = lean_model(MODEL)
    assert lean['train_cfg']['rpn_proposal'] == dict(nms_pre=2000, max_per_img=PROPOSALS)
    assert [stage['sampler'] for stage in lean['train_cfg']['rcnn']] == [
        dict(num=ROIS),
        dict(type='PseudoSampler'),
    ]
    assert lean['data_preprocessor']['batch_augments'][0]['size'] == (PAD, PAD)


def test_the_model_itself_is_left_as_it_was():
    before = deepcopy(MODEL)
    lean_model(MODEL)
    assert before == MODEL


def test_a_model_without_any_of_it():
    assert lean_model(dict(type='DETR', train_cfg=None)) == dict(type='DETR', train_cfg=None)
