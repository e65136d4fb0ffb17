# The config lies beside this folder; the checkpoint where the command runs that trains it.
teacher = dict(
    config='{{ fileDirname }}/../shapes/retinanet_r18w32_shapes.py',
    checkpoint='work_dirs/retinanet_r18w32_shapes/iter_1800.pth',
)
# 1,000 anchors, as on COCO, would be half of the 2,016 that there are.
selector = dict(type='TopkSamples', k=100)
