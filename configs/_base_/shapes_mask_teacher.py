# Both paths are relative to the folder in which the command runs.
teacher = dict(
    config='configs/shapes/mask-rcnn_r18w32_shapes.py',
    checkpoint='work_dirs/mask-rcnn_r18w32_shapes/iter_1800.pth',
    # It is evaluated while it is trained.
    verify=False,
)
