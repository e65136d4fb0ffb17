"""Finding the weights of a detector in checkpoints of many origins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from torch import Tensor

from mmdet_kdrank.errors import CheckpointError

WRAPPER = 'module.'
"""What DistributedDataParallel and averaged models put before each key."""

_COUNTERS = ('steps', 'n_averaged')


def detector_weights(checkpoint: Mapping[str, Any], source: str) -> Mapping[str, Tensor]:
    """Take a detector's weights out of a checkpoint, averaged ones where it has them.

    Known are a bare state dict, MMEngine's and MMDetection 2's checkpoints, with or without EMA,
    other trainers' with a key ``ema_state_dict``, and keys prefixed with ``module.``.

    Args:
        checkpoint: As loaded.
        source: Its path or URL, for messages.

    Returns:
        Weights by the detector's own keys.

    Raises:
        CheckpointError: If it holds no weights, values that are no tensors or not finite, or
            weights of MMDetection 1, whose labels mean other classes.
    """
    version = checkpoint_meta(checkpoint).get('mmdet_version')
    if str(version).startswith(('0.', '1.')):
        raise CheckpointError(
            f'The teacher checkpoint {source} was written by MMDetection {version}, whose class '
            'channels begin with the background and whose boxes are a pixel wider: it would load '
            "and be wrong. Convert it with MMDetection's "
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
                else f'The teacher checkpoint {source} holds, among its weights, '
                f'{key!r} of type {type(value).__name__}, not a tensor by name. '
                'Save model.state_dict() alone.'
            )
        if not value.isfinite().all():
            raise CheckpointError(
                f'The teacher checkpoint {source} holds NaN or infinity in {key}. Its training '
                'diverged: take an earlier checkpoint.'
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
    """Return the state dict to use, and what to say of it."""
    state = checkpoint.get('state_dict', checkpoint)
    averaged = checkpoint.get('ema_state_dict')
    if averaged is None:
        return state, ''
    if 'mmengine_version' in checkpoint_meta(checkpoint):
        # EMAHook swaps the two on saving, so that state_dict is the one to deploy.
        return state, "EMA weights, which MMEngine's EMAHook stores as state_dict"
    if isinstance(averaged, Mapping):
        averaged = {key: value for key, value in averaged.items() if key not in _COUNTERS}
    return averaged, 'EMA weights, ema_state_dict'


def _mmdet2_backups(weights: Mapping[str, Any]) -> set[str]:
    """Buffers of MMDetection 2's EMA hook: after its swap, the weights that are not averaged."""
    names = {f'ema_{key.replace(".", "_")}' for key in weights if '.' in key}
    return names & weights.keys()


def checkpoint_meta(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the ``meta`` of a checkpoint; empty where there is none, or none that is a dict."""
    meta = checkpoint.get('meta')
    return meta if isinstance(meta, Mapping) else {}


def _no_weights(source: str, checkpoint: Mapping[str, Any]) -> str:
    keys = ', '.join(map(repr, list(checkpoint)[:5])) or 'none'
    return (
        f"The teacher checkpoint {source} holds no weights: there is no key 'state_dict', and what "
        f'it has at the top (keys: {keys}) is no state dict either. Save '
        "dict(state_dict=model.state_dict(), meta=…), or the detector's state dict alone."
    )
