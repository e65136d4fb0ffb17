# Untuned weight.
distill_losses = dict(loss_mse=dict(type='LogitMSELoss', loss_weight=1.0))
