_base_ = 'mmrotate::oriented_rcnn/oriented-rcnn-le90_r50_fpn_1x_dota.py'
custom_imports = dict(imports=['mmdet_kdrank'])
model = dict(
    type='DistillTwoStageDetector',
    backbone=dict(depth=18, init_cfg=dict(checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512]),
    teacher=dict(
        config='mmrotate::oriented_rcnn/oriented-rcnn-le90_r50_fpn_1x_dota.py', checkpoint='auto'
    ),
    distill_losses=dict(
        loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1, loss_weight=16.0),
        loss_rank=dict(type='KendallRankLoss'),
    ),
)
