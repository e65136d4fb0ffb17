"""What this package raises. Each class is also the builtin one that callers would expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


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


class CheckpointAccessError(CheckpointError, OSError):
    """A checkpoint is there, and the machine cannot read it now; the file itself may be whole."""


class DataError(KDRankError, ValueError):
    """An annotation file or its images cannot be trained on."""


class NonFiniteError(KDRankError, FloatingPointError):
    """Logits, weights or a loss hold NaN or infinity."""


class UnsupportedError(KDRankError, NotImplementedError):
    """A module does what the distiller has no way to follow."""


class RunError(KDRankError, RuntimeError):
    """A training or an evaluation failed in its process, or its folder is in use."""


class StateError(KDRankError, RuntimeError):
    """Called at a time when it cannot answer."""


_OWN: tuple[tuple[type[Exception], type[KDRankError]], ...] = (
    (KeyError, UnknownNameError),
    (FileNotFoundError, MissingFileError),
    (TypeError, ArgumentTypeError),
    (Exception, ArgumentError),
)


@contextmanager
def blamed_on(setting: str, mend: str) -> Iterator[None]:
    """Context in which whatever is raised names the setting it comes from.

    Args:
        setting: As users write it, ``distill_losses.loss_kd``.
        mend: What to do, a sentence; this package's own errors say it themselves.

    Raises:
        KDRankError: In place of what was raised, and of the same builtin class where that is
            KeyError, FileNotFoundError or TypeError, else ArgumentError.
    """
    try:
        yield
    except KDRankError as error:
        raise type(error)(f'{setting}: {error}') from error
    except Exception as error:
        own = next(kind for builtin, kind in _OWN if isinstance(error, builtin))
        # A KeyError shows its message in quotes.
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        reason = ' '.join((text or type(error).__name__).split()).rstrip('.')
        raise own(f'{setting}: {reason}. {mend}') from error
