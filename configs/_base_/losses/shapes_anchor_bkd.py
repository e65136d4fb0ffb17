distill_losses = dict(loss_bkd=dict(type='BinaryKDLoss', temperature=1.0, loss_weight=1.0))
