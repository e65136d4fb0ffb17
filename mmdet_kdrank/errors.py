"""The errors that this package raises; each is also the builtin class that callers expect."""

from __future__ import annotations


class KDRankError(Exception):
    """Base of all errors that this package raises on purpose.

    Each message is one paragraph that names the fault and its fix.
    """


class ArgumentError(KDRankError, ValueError):
    """An option or an argument has a value that cannot work, alone or with the others."""


class ArgumentTypeError(KDRankError, TypeError):
    """An option, an argument or a module has a type that cannot work."""


class UnknownNameError(KDRankError, KeyError):
    """A name that no registry knows."""

    # KeyError shows its message as a quoted literal.
    __str__ = Exception.__str__


class MissingFileError(KDRankError, FileNotFoundError):
    """A file that a config names does not exist."""


class CheckpointError(KDRankError, RuntimeError):
    """A checkpoint is missing, unreadable or refused."""


class CheckpointAccessError(CheckpointError, OSError):
    """A checkpoint exists, but the machine cannot read it now; the file itself may be whole."""


class DataError(KDRankError, ValueError):
    """An annotation file or its images cannot be trained on."""


class NonFiniteError(KDRankError, FloatingPointError):
    """Logits, weights or a loss hold NaN or infinity."""


class UnsupportedError(KDRankError, NotImplementedError):
    """A module does something that the distiller does not support."""


class RunError(KDRankError, RuntimeError):
    """A training or an evaluation failed in its process, or its folder is in use."""


class StateError(KDRankError, RuntimeError):
    """A method was called at a time when it cannot give its result."""
