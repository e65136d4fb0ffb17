"""Outcomes on disk, a JSON line each, so that a survey can go on where it stopped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .outcome import PACKAGE, Outcome


class Journal:
    """What has been tried with this version of the package.

    Args:
        path (Path): File of JSON lines, appended to; made with its folder where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.package = package_digest()
        self._outcomes: dict[str, Outcome] = {}
        lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
        for line in map(json.loads, lines):
            if line['package'] == self.package:
                self._outcomes[line['key']] = Outcome(
                    line['result'], line['reason'], line['seconds']
                )

    def get(self, key: str) -> Outcome | None:
        """The outcome of a run, None where it has not been tried with this package."""
        return self._outcomes.get(key)

    def add(self, key: str, config: str, outcome: Outcome) -> None:
        """Write down an outcome."""
        self._outcomes[key] = outcome
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = dict(key=key, package=self.package, config=config, **vars(outcome))
        with self.path.open('a', encoding='utf-8') as file:
            file.write(json.dumps(line) + '\n')


def package_digest(package: Path = PACKAGE) -> str:
    """Digest of the package's Python files: what was tried with other code is tried again."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob('*.py')):
        digest.update(f'{path.relative_to(package)}\n'.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
