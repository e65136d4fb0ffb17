# The papers' values; CrossKD divides by the positive anchors, here it is by all chosen ones.
distill_losses = dict(loss_qfkd=dict(type='QualityFocalKDLoss', beta=1.0, loss_weight=1.0))
