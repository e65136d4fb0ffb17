_base_ = [
    '../_base_/models/faster-rcnn_r18_fpn.py',
    '../_base_/coco_180k.py',
    '../_base_/multi_scale.py',
    '../_base_/teachers/faster-rcnn_r101_fpn_ms-3x.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    selector=dict(type='AllSamples'),
    distill_losses=dict(
        # mdistiller's values for Faster R-CNN on COCO.
        loss_dkd=dict(type='DKDLoss', alpha=1.0, beta=0.25, temperature=1.0),
    ),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.multi_scale_pipeline}}))
