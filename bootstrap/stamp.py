"""The file in a finished virtual environment that makes a second set-up unnecessary."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = 'kdrank-setup.json'


@dataclass(frozen=True)
class Stamp:
    """The sources of an environment.

    Attributes:
        fingerprint: Hash of the requirements, stack, Python and checkout.
        variant: mmcv's kind of ops: `cpu`, `cu...`, or `given` for the user's own wheel.
    """

    fingerprint: str
    variant: str

    def serves(self, fingerprint: str, force_cuda: str | None) -> bool:
        """Return whether an environment with this stamp is the requested one.

        Args:
            fingerprint: The requested fingerprint.
            force_cuda: The user's FORCE_CUDA; if it is unset, any variant fits.
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
        # Another version of this code wrote it.
        return None


def write(venv: Path, stamp: Stamp) -> None:
    """Mark an environment as complete."""
    (venv / NAME).write_text(json.dumps(asdict(stamp)))


def remove(venv: Path) -> None:
    """Mark an environment as incomplete."""
    (venv / NAME).unlink(missing_ok=True)
