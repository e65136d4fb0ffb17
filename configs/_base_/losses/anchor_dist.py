# Untuned weights. The scores of the head, which has no softmax.
distill_losses = dict(
    loss_dist=dict(type='DISTLoss', beta=1.0, gamma=1.0, temperature=1.0, activation='sigmoid')
)
