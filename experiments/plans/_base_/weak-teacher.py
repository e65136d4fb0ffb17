# With a teacher that trained for a quarter of the time.
_base_ = './common.py'
seeds = 3
teacher = dict(
    options={
        'train_cfg.max_iters': 650,
        'train_cfg.val_interval': 650,
        'param_scheduler.1.end': 650,
        'param_scheduler.1.T_max': 650,
    }
)
