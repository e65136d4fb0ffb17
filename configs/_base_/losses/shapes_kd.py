# MMDetection's KL averages over the 28 channels too: times 28 it is the textbook KL of a RoI.
distill_losses = dict(loss_kd=dict(type='KnowledgeDistillationKLDivLoss', T=1, loss_weight=28.0))
