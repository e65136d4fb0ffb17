"""Whether two detectors classify by the logits that are distilled; compared on the first batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError
from mmdet_kdrank.heads.capture import watch_forward, watch_method
from mmdet_kdrank.heads.class_output import dense_head
from mmdet_kdrank.heads.queries import has_queries, query_heads
from mmdet_kdrank.ops.suggestions import class_name
from mmdet_kdrank.random_states import kept_random_states

ROIS_PER_IMAGE = 8
FIX = (
    'Do that step in extract_feat or in the neck, so that both have it. If the difference is '
    'meant, path_check=False leaves this comparison out.'
)


class PathCheck:
    """Compares what is distilled with what the detectors themselves compute.

    The distilled logits of a teacher come from its ``extract_feat`` and its head, and those of a
    student from its own training step. A detector whose ``loss`` or ``predict`` changes features
    or images in between would be distilled from logits that it never uses.

    The teacher's ``predict`` runs until its head has classified. It gets the features that are
    there already, so the backbone does not run again. Of the student nothing runs again: the
    features that its head got are compared with those of its ``extract_feat``. A student with
    queries is distilled on what its class loss gets, so there is nothing to compare. Random states
    and losses stay as they are.

    Args:
        student: The distilling detector.
    """

    def __init__(self, student: nn.Module) -> None:
        self.student = student
        self._features: list[list[Tensor]] = []
        self._classified: list[dict[str, Any]] = []

    @contextmanager
    def watch_student(self) -> Iterator[None]:
        """Record what the student's ``extract_feat`` returns and what its head gets."""
        if has_queries(self.student):
            yield
            return
        with (
            watch_method(
                self.student,
                'extract_feat',
                # Copies, because a step in between may change the features in place.
                lambda _, levels: self._features.append([x.detach().clone() for x in _all(levels)]),
            ),
            _watch_head(self.student, lambda arguments, _: self._classified.append(arguments)),
        ):
            yield

    def check_student(self) -> None:
        """Raise ValueError if the student's head got other features."""
        # A sampler that ranks RoIs by their loss classifies those of single images too.
        for call in self._classified:
            seen = [x.detach() for x in _all(_features_in(call))]
            if any(_equal(seen, levels) for levels in self._features):
                self._classified = [call]
                return
        if self._classified:
            raise ArgumentError(
                f'The student: {_culprits(self.student, "loss")} gives the head other features '
                f'than extract_feat returns, and the teacher has no such step. {FIX}'
            )

    def check_teacher(self, images: Tensor, features: Sequence[Tensor], samples: Any) -> None:
        """Raise ValueError if the teacher's ``predict`` classifies by other logits.

        Args:
            images: Images normalised for the teacher, (B, 3, H, W).
            features: Levels of its neck on them, (B, C, h, w).
            samples: The samples of the batch.
        """
        teacher = self.student.teacher_session.model
        samples = _samples(images, samples, self._rois(len(images)))
        if samples is None:
            return
        stages = len(self.student.teacher_session.heads)
        predict = _culprits(teacher, 'predict')
        with torch.no_grad(), kept_random_states():
            calls, inputs = _predict(teacher, images, features, samples, stages)
            if not calls:
                raise ArgumentError(
                    f'The teacher: {predict} does not call {_HEAD_CALL[_is_two_stage(teacher)]}, '
                    f'which gives the logits that are distilled. {FIX}'
                )
            pairs = self.student.classify_again(features, calls)
        gap = max(_gap(ours, theirs) for ours, theirs in pairs)
        if gap > _tolerance(pairs[0][0]) or not all(torch.equal(images, x) for x in inputs):
            raise ArgumentError(
                f'The teacher: {predict} does more than extract_feat and the head. On this batch '
                f'its class logits differ from those that are distilled by {gap:.1%} of their '
                f'range, so the student would learn from logits that the teacher never uses. {FIX}'
            )

    def _rois(self, images: int) -> list[Tensor] | None:
        """Return a few of the student's own RoIs of each image; None for a dense student."""
        if not _is_two_stage(self.student):
            return None
        rois = self._classified[0]['rois'].detach() if self._classified else torch.zeros(0, 5)
        # Trident students number the images of each branch as if they were more images.
        index = rois[:, 0] % images
        return [rois[index == image, 1:][:ROIS_PER_IMAGE] for image in range(images)]


class _Classified(BaseException):  # noqa: N818
    """Ends a ``predict`` that has classified; no ``except Exception`` on the way stops it."""


_HEAD_CALL = {True: 'roi_head._bbox_forward', False: 'the forward of its head'}


def _predict(
    model: nn.Module, images: Tensor, features: Sequence[Tensor], samples: list, stages: int
) -> tuple[list[tuple[dict, Any]], list[Tensor]]:
    """Run ``predict`` until the last stage has classified.

    Returns:
        Arguments and result of each classification, and the images that ``extract_feat`` got.
    """
    calls: list[tuple[dict, Any]] = []
    inputs: list[Tensor] = []

    def observe(arguments: dict, result: Any) -> None:
        calls.append((arguments, result))
        if len(calls) == stages:
            raise _Classified

    def known_features(batch: Tensor, *_: Any, **__: Any) -> tuple[Tensor, ...]:
        inputs.append(batch)
        return tuple(level.clone() for level in features)

    shadowed = vars(model).get('extract_feat')
    model.extract_feat = known_features
    try:
        with _watch_head(model, observe):
            model.predict(images.clone(), samples, rescale=False)
    except _Classified:
        pass
    finally:
        del model.extract_feat
        if shadowed is not None:
            model.extract_feat = shadowed
    return calls, inputs


def _watch_head(detector: nn.Module, observer: Any) -> Any:
    if _is_two_stage(detector):
        return watch_method(detector.roi_head, '_bbox_forward', observer)
    return watch_forward(_head(detector), observer)


def _head(detector: nn.Module) -> nn.Module:
    return query_heads(detector)[-1] if has_queries(detector) else dense_head(detector)


def _is_two_stage(detector: nn.Module) -> bool:
    return getattr(detector, 'roi_head', None) is not None and not has_queries(detector)


def _features_in(arguments: dict[str, Any]) -> Any:
    """Return the features among the arguments of a head: the first that is no stage."""
    return next(value for value in arguments.values() if not isinstance(value, int))


def _samples(images: Tensor, given: Any, rois: list[Tensor] | None) -> list | None:
    """Return samples for ``predict``, with RoIs as proposals; None if there is no RoI at all."""
    if rois is not None and not sum(map(len, rois)):
        return None
    size = tuple(images.shape[-2:])
    plain = dict(img_shape=size, ori_shape=size, pad_shape=size, batch_input_shape=size)
    samples = []
    for index in range(len(images)):
        info = given[index].metainfo if isinstance(given, (list, tuple)) else {}
        sample = DetDataSample(metainfo={**plain, 'scale_factor': (1.0, 1.0), **info})
        if rois is not None:
            scores = rois[index].new_ones(len(rois[index]))
            sample.proposals = InstanceData(
                bboxes=rois[index], scores=scores, labels=scores.new_zeros(scores.shape).long()
            )
        samples.append(sample)
    return samples


def _culprits(detector: nn.Module, method: str) -> str:
    """Name the calls that may do more: those that are not MMDetection's own."""
    head = detector.roi_head if _is_two_stage(detector) else _head(detector)
    owners = []
    for module in (detector, head):
        mro = [c for c in type(module).__mro__ if not c.__module__.startswith('mmdet_kdrank.')]
        owners.append(next((c for c in mro if method in vars(c)), mro[0]))
    foreign = [owner for owner in owners if not owner.__module__.startswith('mmdet.')]
    return ' or '.join(f'{class_name(owner)}.{method}' for owner in foreign or owners[:1])


def _all(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [x for item in value for x in _all(item)] if isinstance(value, (list, tuple)) else []


def _equal(seen: list[Tensor], levels: list[Tensor]) -> bool:
    return len(seen) == len(levels) and all(
        a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())
        for a, b in zip(seen, levels, strict=True)
    )


def _gap(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference as a share of the range; inf for other shapes."""
    if ours.shape != theirs.shape:
        return float('inf')
    if not ours.numel() or torch.equal(ours, theirs):
        return 0.0
    ours, theirs = ours.float().nan_to_num(), theirs.float().nan_to_num()
    span = (ours.max() - ours.min()).clamp(min=1e-6)
    return float((ours - theirs).abs().max() / span)


def _tolerance(logits: Tensor) -> float:
    """Return how much two computations of the same logits may differ by rounding."""
    return 1e-3 if logits.dtype in (torch.float32, torch.float64) else 3e-2
