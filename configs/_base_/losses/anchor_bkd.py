# Untuned weight; the paper's config divides by the positive anchors, this by all chosen ones.
distill_losses = dict(loss_bkd=dict(type='BinaryKDLoss', temperature=1.0, loss_weight=1.0))
