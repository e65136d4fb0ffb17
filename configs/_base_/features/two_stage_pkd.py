# As in the authors' config for Faster R-CNN R101 -> R50: P2 to P5.
distill_features = dict(loss_pkd=dict(type='PKDLoss', levels=[0, 1, 2, 3], loss_weight=6.0))
