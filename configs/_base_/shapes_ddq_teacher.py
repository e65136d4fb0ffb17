# `checkpoint` is relative to the folder in which the command runs, `config` to this file.
teacher = dict(
    config='{{ fileDirname }}/../shapes/ddq_r18w32_shapes.py',
    checkpoint='work_dirs/ddq_r18w32_shapes/iter_1800.pth',
    # It is evaluated while it is trained.
    verify=False,
)
