_base_ = './shapes_anchor_kd.py'
distill_losses = dict(
    loss_rank=dict(type='KendallRankLoss', loss_weight=1.0),
    loss_crank=dict(type='CandidateRankLoss', loss_weight=1.0),
)
