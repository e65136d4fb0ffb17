# `checkpoint` is relative to the folder in which the command runs, `config` to this file.
teacher = dict(
    config='{{ fileDirname }}/../retinanet_lite2.py',
    checkpoint='work_dirs/retinanet_lite2/iter_10000.pth',
)
