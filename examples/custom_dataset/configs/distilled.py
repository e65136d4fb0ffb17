_base_ = 'student.py'
model = dict(
    type='DistillTwoStageDetector',
    teacher=dict(config='configs/teacher.py', checkpoint='work_dirs/teacher/iter_1500.pth'),
    distill_losses=dict(
        # Close to agreement it is a quarter of KL, whose usual weight is 1.
        loss_hellinger=dict(type='HellingerLoss', loss_weight=4.0),
        loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    ),
)
