# Students and teachers train this long, chosen without distillation, with one look at the end.
# On pictures that no setting was chosen on.
shapes = dict(seed=2, num_val=500)
seeds = 5
baseline = 'kd'
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
