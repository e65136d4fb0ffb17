"""The logits that a distillation of a trained student by a trained teacher would compare."""

from __future__ import annotations

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config, ConfigDict
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch import Tensor, nn

from experiments.claims.logits import LogitSet
from experiments.survey.distilling import distilling
from mmdet_kdrank.check.readiness import without_weights
from mmdet_kdrank.checkpoints.detector_weights import detector_weights
from mmdet_kdrank.checkpoints.loading import load_checkpoint
from mmdet_kdrank.errors import CheckpointError, DataError
from mmdet_kdrank.random_states import kept_random_states
from mmdet_kdrank.structures.samples import DistillSamples

_MOST = 5000
"""Most rows of each kind that are kept per batch: dense heads have hundreds of thousands."""


class RowRecorder(nn.Module):
    """An entry of ``distill_losses`` that keeps the samples it gets."""

    requires_samples = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, list[DistillSamples]] = {'foreground': [], 'background': []}

    def forward(self, samples: DistillSamples) -> Tensor:
        """Keep the rows that have a label, at most :data:`_MOST` of each kind; the loss is 0."""
        background = samples.labels == samples.num_classes
        for kind, mask in (('foreground', samples.positive()), ('background', background)):
            self.seen[kind].append(samples.take(_some(mask, _MOST)))
        return samples.student.new_zeros(())


@torch.no_grad()
def trained_logits(
    student: tuple[Config, str],
    teacher: tuple[str | dict, str],
    rows: int = 300,
    batches: int = 40,
    seed: int = 0,
) -> list[LogitSet]:
    """Return the logits of student and teacher that a training would compare on the val images.

    Rows, classes and the teacher's input come from the distiller: the student's sampled RoIs, or
    its anchors with their assignment. Both run in eval mode.

    Args:
        student: Config with a ``val_dataloader`` that loads annotations, and its checkpoint.
        teacher: Values of ``teacher.config`` and ``teacher.checkpoint``.
        rows: Most rows of each kind, drawn at random.
        batches: Most batches of the loader.
        seed: Seed of the sampling.

    Returns:
        The sets ``'foreground'`` and ``'background'``, if they have rows.

    Raises:
        CheckpointError: If the student's checkpoint does not fit its config.
        DataError: If no row has a label.
        ArgumentError: If the student's head does not provide one label per row.
    """
    config, checkpoint = student
    register_all_modules(init_default_scope=True)
    with kept_random_states():
        torch.manual_seed(seed)
        model = _distiller(config, checkpoint, teacher)
        loader = Runner.build_dataloader(ConfigDict(config.val_dataloader), seed=seed)
        hub = MessageHub.get_current_instance()
        before = hub.get_info('dataset_meta')
        hub.update_info('dataset_meta', loader.dataset.metainfo)
        try:
            for _, batch in zip(range(batches), loader, strict=False):
                model(**model.data_preprocessor(batch, training=True), mode='loss')
        finally:
            hub.update_info('dataset_meta', before)
        return _drawn(model.distill_losses['loss_recorder'].seen, rows)


def _distiller(config: Config, checkpoint: str, teacher: tuple[str | dict, str]) -> nn.Module:
    # All of its weights come from the checkpoint.
    settings = distilling(without_weights(config.model), checkpoint)
    settings.teacher = dict(config=teacher[0], checkpoint=teacher[1])
    settings.distill_losses = dict(loss_recorder=dict(type=RowRecorder))
    model = MODELS.build(settings)
    model.init_weights()
    weights = detector_weights(load_checkpoint(checkpoint), checkpoint)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = ' '.join(str(error).split())
        raise CheckpointError(
            f'The student checkpoint {checkpoint} does not fit its config. {reason} Give the '
            'config that it was trained with.'
        ) from error
    return model.eval()


def _some(mask: Tensor, most: int) -> Tensor:
    """Return the indices at which a mask is true, or ``most`` random ones of these, in order."""
    index = mask.nonzero()[:, 0]
    if len(index) > most:
        index = index[torch.randperm(len(index))[:most]].sort().values
    return index


def _drawn(seen: dict[str, list[DistillSamples]], rows: int) -> list[LogitSet]:
    sets = []
    for kind, batches in seen.items():
        student, teacher, labels = (
            torch.cat([getattr(samples, name) for samples in batches])
            for name in ('student', 'teacher', 'labels')
        )
        index = _some(torch.ones(len(labels), dtype=torch.bool), rows)
        if len(index):
            logits = student[index].double(), teacher[index].double()
            sets.append(LogitSet(kind, *logits, labels[index], batches[0].activation))
    if not sets:
        raise DataError('The val images gave no row with a label. Give a loader with annotations.')
    return sets
