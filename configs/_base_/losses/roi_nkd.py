# The paper's values for ImageNet; it gives none for detection.
distill_losses = dict(loss_nkd=dict(type='NKDLoss', gamma=1.5, temperature=1.0))
