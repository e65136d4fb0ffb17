# MMDetection's RetinaNet at the size of the images: the student, with anchors for 10 to 60 px.
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'
model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone=dict(
        depth=18,
        base_channels=16,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=32, num_outs=3),
    bbox_head=dict(
        num_classes=27,
        in_channels=32,
        feat_channels=32,
        stacked_convs=2,
        # Without a normalisation it learns too slowly: training is from scratch and takes minutes.
        norm_cfg=dict(type='GN', num_groups=8),
        anchor_generator=dict(octave_base_scale=3, scales_per_octave=2, strides=[8, 16, 32]),
    ),
    test_cfg=dict(nms_pre=300, max_per_img=50),
)
