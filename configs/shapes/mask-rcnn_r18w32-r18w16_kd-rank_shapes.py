_base_ = [
    '../_base_/shapes_faster_rcnn_narrow.py',
    '../_base_/shapes_mask_branch_narrow.py',
    '../_base_/shapes_instance.py',
    '../_base_/shapes_mask_teacher.py',
    '../_base_/losses/shapes_kd-rank.py',
]
model = dict(
    type='DistillTwoStageDetector',
    roi_head={{_base_.mask_branch.roi_head}},
    train_cfg={{_base_.mask_branch.train_cfg}},
    test_cfg={{_base_.mask_branch.test_cfg}},
    teacher={{_base_.teacher}},
    distill_losses={{_base_.distill_losses}},
)
