import pytest
from mmdet.registry import MODELS

import mmdet_kdrank.losses  # noqa: F401  (registers the losses)
from mmdet_kdrank.errors import ArgumentError, ArgumentTypeError, UnknownNameError
from mmdet_kdrank.ops.checks import blamed_on, check_choice
from mmdet_kdrank.ops.suggestions import class_name, did_you_mean, quoted_numbers


def message(config, kind):
    with (
        pytest.raises(kind) as caught,
        blamed_on('distill_losses.loss_x', 'Correct the type or the argument.'),
    ):
        MODELS.build(config)
    return str(caught.value)


@pytest.mark.parametrize(
    ('config', 'kind', 'expected'),
    [
        (
            dict(type='KendalRankLoss'),
            UnknownNameError,
            'KendalRankLoss is not in the mmdet::model registry. Did you mean KendallRankLoss?',
        ),
        (
            dict(type='mmdet.quality_focal_kdloss'),
            UnknownNameError,
            'mmdet.quality_focal_kdloss is not in the mmdet::model registry. '
            'Did you mean QualityFocalKDLoss?',
        ),
        (
            dict(type='Zebra'),
            UnknownNameError,
            'Zebra is not in the mmdet::model registry. Import the package that registers it.',
        ),
        (
            dict(type='KendallRankLoss', stepness=2),
            ArgumentTypeError,
            "got an unexpected keyword argument 'stepness'. Did you mean steepness?",
        ),
        (
            dict(type='DKDLoss', loss_wieght=2),
            ArgumentTypeError,
            "got an unexpected keyword argument 'loss_wieght'. Did you mean loss_weight?",
        ),
        (
            dict(type='KnowledgeDistillationKLDivLoss', T=0),
            ArgumentError,
            'the condition `T >= 1` does not hold for T=0.',
        ),
        (
            dict(type='KnowledgeDistillationKLDivLoss', T='1'),
            ArgumentTypeError,
            "T='1' is text, not a number: write T=1.",
        ),
        (
            dict(type='LSKDLoss', loss=dict(type='DKDLoss', alhpa=1)),
            ArgumentTypeError,
            "got an unexpected keyword argument 'alhpa'. Did you mean alpha?",
        ),
    ],
)
def test_what_was_meant(config, kind, expected):
    text = message(config, kind)
    assert text.startswith('distill_losses.loss_x: ')
    assert text.endswith(f'{expected} Correct the type or the argument.')
    assert '\n' not in text


def test_a_choice_is_suggested():
    with pytest.raises(ValueError, match='choose one of atan, tanh. Did you mean tanh?'):
        check_choice('surrogate', 'Tanh', ('tanh', 'atan'))
    with pytest.raises(ValueError, match='choose one of atan, tanh.$'):
        check_choice('surrogate', 'step', ('tanh', 'atan'))


def test_the_most_similar_name():
    assert did_you_mean('retinanet', ['RetinaNet', 'RetinaHead']) == ' Did you mean RetinaNet?'
    assert did_you_mean('x', ['RetinaNet']) == ''
    assert did_you_mean('RetinaNet', ['RetinaNet']) == '', 'no suggestion of the name itself'


def test_only_foreign_classes_carry_their_module():
    assert class_name(MODELS.get('SSDHead')) == 'SSDHead'
    assert class_name(type('SSDHead', (), dict(__module__='fork.heads'))) == 'fork.heads.SSDHead'


class Loss:
    def __init__(self, T, reduction='mean', loss_weight=1.0, flag=True):
        pass


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        (dict(loss_weight='80'), "loss_weight='80' is text, not a number: write loss_weight=80."),
        (dict(loss_weight='much'), "loss_weight='much' is text, not a number: say, loss_weight=1."),
        (dict(loss_weight=80, reduction='1'), ''),
        (dict(flag='1', unknown='1', T='1'), ''),
    ],
)
def test_numbers_in_quotes(config, expected):
    assert quoted_numbers(Loss, config).startswith(expected)
    assert bool(quoted_numbers(Loss, config)) == bool(expected)
