_base_ = [
    '../_base_/shapes_faster_rcnn_narrow.py',
    '../_base_/shapes_mask_branch_narrow.py',
    '../_base_/shapes_instance.py',
]
model = dict(
    type='MaskRCNN',
    roi_head={{_base_.mask_branch.roi_head}},
    train_cfg={{_base_.mask_branch.train_cfg}},
    test_cfg={{_base_.mask_branch.test_cfg}},
)
