_base_ = './shapes_anchor_bkd.py'
distill_losses = dict(loss_rank=dict(type='KendallRankLoss', loss_weight=1.0))
