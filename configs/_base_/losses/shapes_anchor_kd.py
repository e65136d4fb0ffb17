# MMDetection's KL averages over the 27 channels too: times 27 it is the textbook KL of an anchor.
distill_losses = dict(loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1, loss_weight=27.0))
