_base_ = './anchor_kd.py'
# The weight of an implementation for RetinaNet R101 -> R50 in MMRazor's repository.
distill_losses = dict(loss_rm=dict(type='RankMimicLoss', loss_weight=4.0))
