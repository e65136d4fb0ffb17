# With a quarter of the training photographs; the teacher had all of them.
_base_ = './final.py'
seeds = 3
options = {'train_dataloader.dataset.indices': 900}
