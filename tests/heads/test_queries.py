"""The queries of a detector, with its own predictions and its own loss for an oracle."""

from __future__ import annotations

import pytest
import torch

from mmdet_kdrank.heads.class_output import class_output
from mmdet_kdrank.heads.queries import has_queries, query_heads, run_queries, watch_queries
from tests.detectors import FASTER, build, raw_batch, small_config, training_losses
from tests.distillers.query_detectors import (
    DDQ,
    DECODERS,
    DEFORMABLE,
    DETR,
    QUERYINST,
    SPARSE,
    STAGES,
    query_config,
)


@pytest.mark.parametrize('name', [*DECODERS, SPARSE])
@torch.no_grad()
def test_the_scores_that_a_detector_reports_are_those_of_its_last_queries(name):
    model = build(query_config(name)).eval()
    data = model.data_preprocessor(raw_batch(), training=False)
    layers = run_queries(model, model.extract_feat(data['inputs']), data['data_samples'])
    found = model.predict(data['inputs'], data['data_samples'], rescale=False)
    output = class_output(query_heads(model)[-1])
    assert len(layers) == 2
    for sample, logits, boxes in zip(found, layers[-1].logits, layers[-1].boxes, strict=True):
        logits = output.logits(logits)
        if output.background:
            scores = logits.softmax(1)[:, :-1].amax(1).sort(descending=True).values
        else:
            scores = logits.sigmoid().flatten().sort(descending=True).values
        reported = sample.pred_instances.scores.sort(descending=True).values
        torch.testing.assert_close(reported, scores[: len(reported)])
        height, width = sample.img_shape
        inside = boxes.clone()
        if name != SPARSE:
            inside[:, 0::2].clamp_(0, width)
            inside[:, 1::2].clamp_(0, height)
        distance = torch.cdist(sample.pred_instances.bboxes, inside)
        assert distance.amin(1).max() < 1e-3


@pytest.mark.parametrize('name', [DETR, DEFORMABLE, DDQ, SPARSE])
def test_the_class_loss_of_the_queries_is_the_one_that_the_student_trains_on(name):
    model = build(query_config(name)).train()
    with watch_queries(model) as record:
        losses = training_losses(model)
    layers = record.layers()
    prefixes = ['s0.', 's1.'] if name in STAGES else ['d0.', '']
    heads = query_heads(model)
    for index, (prefix, layer) in enumerate(zip(prefixes, layers, strict=True)):
        head = heads[index] if name in STAGES else heads[0]
        weight = model.roi_head.stage_loss_weights[index] if name in STAGES else 1
        loss = head.loss_cls(layer.output, layer.labels, layer.weights, avg_factor=layer.avg_factor)
        torch.testing.assert_close(loss * weight, losses[f'{prefix}loss_cls'])
        for image, sample in enumerate(raw_batch()['data_samples']):
            objects = layer.objects[image]
            labels = layer.labels.split([len(each) for each in layer.logits])[image]
            assert sorted(objects[objects >= 0].tolist()) == [0, 1, 2]
            expected = sample.gt_instances.labels[objects.clamp(min=0)].where(objects >= 0, 5)
            assert torch.equal(labels, expected)


def test_a_head_that_assigns_otherwise_is_refused():
    model = build(query_config(DETR)).train()
    with watch_queries(model) as record:
        training_losses(model)
    record.losses[0][1] = dict(pred=torch.zeros(3, 6), target=torch.zeros(3).long())
    with pytest.raises(NotImplementedError, match='DETRHead .* layer 1 .* not supported'):
        record.layers()


def test_kinds_of_detectors():
    assert has_queries(build(query_config(QUERYINST)))
    assert not has_queries(build(small_config(FASTER)))
