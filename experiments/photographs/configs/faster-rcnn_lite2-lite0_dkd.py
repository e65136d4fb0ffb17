_base_ = [
    './_base_/faster_rcnn.py',
    './_base_/data.py',
    './_base_/schedule.py',
    './_base_/faster_rcnn_teacher.py',
]
model = dict(
    type='DistillTwoStageDetector',
    teacher={{_base_.teacher}},
    selector=dict(type='AllSamples'),
    distill_losses=dict(
        # The values of the authors' published code for Faster R-CNN on COCO.
        loss_dkd=dict(type='DKDLoss', alpha=1.0, beta=0.25, temperature=1.0),
    ),
)
