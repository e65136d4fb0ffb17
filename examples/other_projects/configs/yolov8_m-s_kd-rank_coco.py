_base_ = 'mmyolo::yolov8/yolov8_s_syncbn_fast_8xb16-500e_coco.py'
custom_imports = dict(imports=['mmdet_kdrank'])
model = dict(
    type='DistillSingleStageDetector',
    student_type='YOLODetector',
    teacher=dict(
        config='mmyolo::yolov8/yolov8_m_syncbn_fast_8xb16-500e_coco.py', checkpoint='auto'
    ),
    distill_losses=dict(loss_kd=dict(type='BinaryKDLoss'), loss_rank=dict(type='KendallRankLoss')),
)
