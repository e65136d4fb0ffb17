# With a quarter of the training pictures; the teacher had all of them.
_base_ = './common.py'
seeds = 3
options = {'train_dataloader.dataset.indices': 250}
