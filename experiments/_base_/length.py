# How long everything trains, chosen without distillation; one look, at the end.
options = {
    'train_cfg.max_iters': 1500,
    'train_cfg.val_interval': 1500,
    'param_scheduler.1.end': 1500,
    'param_scheduler.1.T_max': 1500,
}
teacher = dict(
    options={
        'train_cfg.max_iters': 2600,
        'train_cfg.val_interval': 2600,
        'param_scheduler.1.end': 2600,
        'param_scheduler.1.T_max': 2600,
    }
)
