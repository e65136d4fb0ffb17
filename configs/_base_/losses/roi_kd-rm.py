_base_ = './roi_kd.py'
# The weight that anchor_kd-rm.py has for RetinaNet.
distill_losses = dict(loss_rm=dict(type='RankMimicLoss', loss_weight=4.0))
