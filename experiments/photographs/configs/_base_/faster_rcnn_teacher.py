# `checkpoint` is relative to the folder in which the command runs, `config` to this file.
teacher = dict(
    config='{{ fileDirname }}/../faster-rcnn_lite2.py',
    checkpoint='work_dirs/faster-rcnn_lite2/iter_10000.pth',
)
