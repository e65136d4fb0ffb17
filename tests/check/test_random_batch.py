import torch

from mmdet_kdrank.check.random_batch import random_batch

SIZES = ((64, 64), (48, 64))
DENSE = dict(bbox_head=dict(num_classes=3))


def test_two_pictures_with_boxes_inside_and_labels_of_the_head():
    batch = random_batch(DENSE, SIZES)
    assert [tuple(image.shape) for image in batch['inputs']] == [(3, 64, 64), (3, 48, 64)]
    for sample in batch['data_samples']:
        height, width = sample.img_shape
        left, top, right, bottom = sample.gt_instances.bboxes.T
        assert (left >= 0).all() and (top >= 0).all()
        assert (right <= width).all() and (bottom <= height).all()
        assert (right > left).all() and (bottom > top).all()
        assert sample.gt_instances.labels.max() < 3
        assert 'masks' not in sample.gt_instances and 'gt_sem_seg' not in sample


def test_the_seed_decides():
    pictures = [random_batch(DENSE, SIZES, seed)['inputs'][0] for seed in (0, 0, 1)]
    assert torch.equal(pictures[0], pictures[1]) and not torch.equal(pictures[0], pictures[2])


def test_a_detector_of_one_size_gets_it():
    model = dict(bbox_head=dict(num_classes=3, anchor_generator=dict(input_size=300)))
    assert [image.shape[1:] for image in random_batch(model, SIZES)['inputs']] == [(300, 300)] * 2


def test_masks_and_semantic_maps_where_they_are_needed():
    model = dict(
        rpn_head={},
        roi_head=dict(bbox_head=dict(num_classes=3), mask_head=dict(num_classes=3)),
        data_preprocessor=dict(pad_seg=True),
    )
    sample = random_batch(model, SIZES)['data_samples'][1]
    assert sample.gt_instances.masks.masks.shape == (3, 48, 64)
    assert sample.gt_instances.masks.masks.any((1, 2)).all()
    assert sample.gt_sem_seg.sem_seg.shape == (1, 48, 64)
    assert 'proposals' not in sample


def test_a_detector_without_rpn_gets_proposals():
    sample = random_batch(dict(roi_head=dict(bbox_head=dict(num_classes=3))), SIZES)[
        'data_samples'
    ][0]
    assert sample.proposals.bboxes.shape == (3, 4)
