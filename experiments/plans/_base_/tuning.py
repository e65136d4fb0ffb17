# Which settings the final runs get: on pictures of their own, so that those never saw a choice.
_base_ = './common.py'
shapes = dict(_delete_=True, seed=1)
seeds = 2
options = {'train_cfg.val_interval': 750}
teacher = dict(options={'train_cfg.val_interval': 1300})
