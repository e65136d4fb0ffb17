# As in the authors' configs for RetinaNet: P3 to P6.
distill_features = dict(loss_pkd=dict(type='PKDLoss', levels=[0, 1, 2, 3], loss_weight=10.0))
