# MMDetection's KL averages over the 81 channels too: times 81 it is the textbook KL.
distill_losses = dict(
    loss_lskd=dict(
        type='LSKDLoss',
        loss=dict(type='KnowledgeDistillationKLDivLoss', T=2, loss_weight=81.0),
    )
)
