"""The note in a finished virtual environment that lets a second set-up do nothing."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = 'kdrank-setup.json'


@dataclass(frozen=True)
class Stamp:
    """What an environment was set up from.

    Attributes:
        fingerprint: Hash of the requirements, stack, Python and checkout.
        variant: mmcv's kind of ops: `cpu`, `cu...`, or `given` for a wheel of the user's.
    """

    fingerprint: str
    variant: str

    def serves(self, fingerprint: str, force_cuda: str | None) -> bool:
        """Says whether an environment with this stamp is what is asked for.

        Args:
            fingerprint: The one wanted.
            force_cuda: The user's FORCE_CUDA; unset, any variant will do.
        """
        if self.fingerprint != fingerprint:
            return False
        if self.variant == 'given' or not force_cuda:
            return True
        return (force_cuda == '1') == self.variant.startswith('cu')


def read(venv: Path) -> Stamp | None:
    """Return the stamp of an environment, or None when its set-up never ended."""
    file = venv / NAME
    if not file.is_file():
        return None
    try:
        return Stamp(**json.loads(file.read_text()))
    except (ValueError, TypeError):
        # Written by another version of this code: as good as none.
        return None


def write(venv: Path, stamp: Stamp) -> None:
    """Mark an environment as complete."""
    (venv / NAME).write_text(json.dumps(asdict(stamp)))


def remove(venv: Path) -> None:
    """Mark an environment as incomplete."""
    (venv / NAME).unlink(missing_ok=True)
