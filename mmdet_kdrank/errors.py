"""What this package raises. Each class is also the builtin one that callers would expect."""

from __future__ import annotations


class KDRankError(Exception):
    """Base of all errors that this package raises on purpose.

    Each message is one paragraph that names the fault and its mend.
    """


class ArgumentError(KDRankError, ValueError):
    """An option or an argument has a value that cannot work, alone or beside the others."""


class ArgumentTypeError(KDRankError, TypeError):
    """An option, an argument or a module is of a kind that cannot work."""


class UnknownNameError(KDRankError, KeyError):
    """A name that no registry knows."""

    # KeyError shows its message as a quoted literal.
    __str__ = Exception.__str__


class MissingFileError(KDRankError, FileNotFoundError):
    """A file that a config names does not exist."""


class CheckpointError(KDRankError, RuntimeError):
    """A checkpoint is missing, unreadable or refused."""


class DataError(KDRankError, ValueError):
    """An annotation file or its images cannot be trained on."""


class NonFiniteError(KDRankError, FloatingPointError):
    """Logits, weights or a loss hold NaN or infinity."""


class UnsupportedError(KDRankError, NotImplementedError):
    """A module does what the distiller has no way to follow."""


class StateError(KDRankError, RuntimeError):
    """Called at a time when it cannot answer."""
