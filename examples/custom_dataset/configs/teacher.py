# Stands for a published COCO detector: it is wider, and has 27 classes of another data set.
_base_ = ['_base_/model.py', '_base_/data.py', '_base_/schedule.py']
model = dict(
    backbone=dict(base_channels=32),
    neck=dict(in_channels=[32, 64, 128, 256]),
    roi_head=dict(bbox_head=dict(fc_out_channels=256, num_classes=27)),
)
shapes = dict(type='ShapesDataset', data_root='data/shapes/')
train_dataloader = dict(
    dataset=dict(
        **shapes, ann_file='annotations/instances_train.json', data_prefix=dict(img='train/')
    )
)
val_dataloader = dict(
    dataset=dict(**shapes, ann_file='annotations/instances_val.json', data_prefix=dict(img='val/'))
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/shapes/annotations/instances_val.json')
test_evaluator = val_evaluator
