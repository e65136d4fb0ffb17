# Is the setting good? The teacher, and the student alone in its own and in a longer schedule.
seeds = 3
_length = 10000
_longer = {
    'train_cfg.max_iters': _length,
    'train_cfg.val_interval': _length,
    'param_scheduler.1.end': _length,
    'param_scheduler.1.T_max': _length,
}
