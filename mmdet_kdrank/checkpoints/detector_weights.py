"""Finds the weights of a detector in checkpoints of many origins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from mmdet_kdrank.errors import ArgumentError, CheckpointError

WRAPPER = 'module.'
"""The prefix that DistributedDataParallel and averaged models add to each key."""

_COUNTERS = ('steps', 'n_averaged')


def detector_weights(checkpoint: Mapping[str, Any], source: str) -> Mapping[str, Tensor]:
    """Return a detector's weights from a checkpoint; the averaged ones if it has them.

    Supported are a bare state dict and the checkpoints of MMEngine and MMDetection 2, with or
    without EMA. Other trainers' checkpoints may have a key ``ema_state_dict``. All keys may have
    the prefix ``module.``.

    Args:
        checkpoint: As loaded.
        source: Its path or URL, for messages.

    Returns:
        Weights by the detector's own keys.

    Raises:
        CheckpointError: If it holds no weights, or values that are no tensors or not finite. Also
            if the weights are of MMDetection 1, whose labels mean other classes.
    """
    version = checkpoint_meta(checkpoint).get('mmdet_version')
    if str(version).startswith(('0.', '1.')):
        raise CheckpointError(
            f'The checkpoint {source} was written by MMDetection {version}. Its class '
            'channels begin with the background and its boxes are a pixel wider, so it would load '
            "but predict wrongly. Convert it with MMDetection's "
            'tools/model_converters/upgrade_model_version.py first.'
        )
    weights, origin = _choose(checkpoint)
    if not isinstance(weights, Mapping) or not weights:
        raise CheckpointError(_no_weights(source, checkpoint))
    for key, value in weights.items():
        if not (isinstance(key, str) and isinstance(value, Tensor)):
            raise CheckpointError(
                _no_weights(source, checkpoint)
                if weights is checkpoint
                else f'The checkpoint {source} has an entry {key!r} of type '
                f'{type(value).__name__} among its weights, not a tensor with a name. '
                'Save model.state_dict() alone.'
            )
        if not value.isfinite().all():
            raise CheckpointError(
                f'The checkpoint {source} holds NaN or infinity in {key}. Its training '
                'diverged: use an earlier checkpoint.'
            )
    if all(key.startswith(WRAPPER) for key in weights):
        weights = {key[len(WRAPPER) :]: value for key, value in weights.items()}
    backups = _mmdet2_backups(weights)
    if backups:
        weights = {key: value for key, value in weights.items() if key not in backups}
        origin = "EMA weights, which MMDetection 2's hook swapped into the model's own keys"
    if origin:
        print_log(f"The teacher's weights are the {origin} ({source}).", logger='current')
    return weights


def _choose(checkpoint: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the state dict to use, and its origin if that must be logged."""
    state = checkpoint.get('state_dict', checkpoint)
    averaged = checkpoint.get('ema_state_dict')
    if averaged is None:
        return state, ''
    if 'mmengine_version' in checkpoint_meta(checkpoint):
        # EMAHook swaps the two on saving, so that state_dict holds the weights to deploy.
        return state, "EMA weights, which MMEngine's EMAHook stores as state_dict"
    if isinstance(averaged, Mapping):
        averaged = {key: value for key, value in averaged.items() if key not in _COUNTERS}
    return averaged, 'EMA weights, ema_state_dict'


def _mmdet2_backups(weights: Mapping[str, Any]) -> set[str]:
    """Return the buffers of MMDetection 2's EMA hook: the weights that are not averaged."""
    names = {f'ema_{key.replace(".", "_")}' for key in weights if '.' in key}
    return names & weights.keys()


def checkpoint_meta(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the ``meta`` of a checkpoint; empty if there is none, or if it is no dict."""
    meta = checkpoint.get('meta')
    return meta if isinstance(meta, Mapping) else {}


def load_strictly(model: nn.Module, checkpoint: dict, path: str, config: str) -> None:
    """Load a checkpoint into a detector that has exactly its weights.

    Args:
        model: The detector.
        checkpoint: As loaded.
        path: Its path or URL, for messages.
        config: The name of the detector's config, for messages.

    Raises:
        ValueError: If keys are missing or left over, or a shape differs.
        CheckpointError: See :func:`detector_weights`.
    """
    state = detector_weights(checkpoint, path)
    try:
        # torch's own loading, because MMEngine's raises on rank 0 alone.
        wrong = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ArgumentError(
            f'The teacher checkpoint {path} does not fit teacher.config {config}: '
            f'{" ".join(str(error).split())} Give the config that the checkpoint was trained with.'
        ) from error
    if wrong.missing_keys or wrong.unexpected_keys:
        raise ArgumentError(
            f'The teacher checkpoint {path} does not fit teacher.config {config}: '
            f'{_counted(wrong.missing_keys, "missing")} and '
            f'{_counted(wrong.unexpected_keys, "unexpected")}. Give the config that the '
            'checkpoint was trained with.'
        )


def _counted(keys: list[str], word: str, most: int = 3) -> str:
    if not keys:
        return f'no {word} key'
    shown = ', '.join(keys[:most]) + (', …' if len(keys) > most else '')
    return f'{len(keys)} {word} keys ({shown})'


def class_names(checkpoint: Mapping[str, Any], source: str) -> tuple[str, ...] | None:
    """Return the class names in the meta of a checkpoint; None if it has none.

    Args:
        checkpoint: As loaded.
        source: Its path or URL, for messages.

    Raises:
        CheckpointError: If they are no list of names.
    """
    meta = checkpoint_meta(checkpoint)
    dataset_meta = meta.get('dataset_meta')
    named = dataset_meta if isinstance(dataset_meta, Mapping) else meta
    classes = {str(key).lower(): value for key, value in named.items()}.get('classes')
    if classes and not (
        isinstance(classes, str)
        or (isinstance(classes, (list, tuple)) and all(isinstance(c, str) for c in classes))
    ):
        raise CheckpointError(
            f'The checkpoint {source} has classes in its meta that are no list of names '
            f'({str(classes)[:80]}). Correct them, or remove them from the file.'
        )
    return as_names(classes)


def as_names(classes: Any) -> tuple[str, ...] | None:
    """Return class names as a tuple; None if there are none."""
    if not classes:
        return None
    return (classes,) if isinstance(classes, str) else tuple(classes)


def _no_weights(source: str, checkpoint: Mapping[str, Any]) -> str:
    keys = ', '.join(map(repr, list(checkpoint)[:5])) or 'none'
    return (
        f"The checkpoint {source} holds no weights: it has no key 'state_dict', and is no "
        f'state dict itself (keys: {keys}). Save '
        "dict(state_dict=model.state_dict(), meta=…), or the detector's state dict alone."
    )
