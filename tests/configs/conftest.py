from functools import cache

from mmengine.config import utils

# MMEngine reads MMDetection's whole model index, a hundred files, for each package:: name. Read
# once, these tests take a third of the time.
utils.load = cache(utils.load)
