# MMDetection's KL averages over the 80 channels too: times 80 it is the textbook KL.
distill_losses = dict(
    loss_lskd=dict(
        type='LSKDLoss',
        loss=dict(type='KnowledgeDistillationKLDivLoss', T=2, loss_weight=80.0),
    )
)
