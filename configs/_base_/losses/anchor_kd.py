# MMDetection's KL averages over the 80 channels too: times 80 it is the textbook KL of an anchor.
distill_losses = dict(loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1, loss_weight=80.0))
