# From our steepness to the paper's, at equal weights, on the images that settings are chosen on.
_base_ = './common.py'
shapes = dict(_delete_=True, seed=1)
seeds = 3
