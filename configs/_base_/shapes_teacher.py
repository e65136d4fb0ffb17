# The config lies beside this folder; the checkpoint where the command runs that trains it.
teacher = dict(
    config='{{ fileDirname }}/../shapes/faster-rcnn_r18w32_shapes.py',
    checkpoint='work_dirs/faster-rcnn_r18w32_shapes/iter_1800.pth',
)
