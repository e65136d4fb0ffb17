"""Outcomes on disk, a JSON line each, so that a survey goes on where it stopped."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import mmdet_kdrank
from experiments.survey.outcome import Outcome
from mmdet_kdrank.environment.versions import module_versions
from mmdet_kdrank.files.fingerprint import fingerprint

PACKAGE = Path(mmdet_kdrank.__file__).parent
SURVEY = Path(__file__).parent

ORIGIN = ('date', 'torch', 'mmdet', 'package')
"""Keys of a run's versions and date; ``package`` is this package's version and sources."""

SOURCES = (
    *(PACKAGE / name for name in ('checkpoints', 'distillers', 'heads', 'losses', 'ops')),
    *(PACKAGE / name for name in ('structures', 'teachers')),
    *(SURVEY / f'{name}.py' for name in ('batch', 'distilling', 'outcome', 'step', 'worker')),
)


class Journal:
    """The results of earlier attempts with these versions and sources of the package.

    Args:
        path: File of JSON lines that results are appended to; it is created with its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origin = {
            'date': datetime.now(timezone.utc).date().isoformat(),
            'torch': metadata.version('torch'),
            'mmdet': module_versions()['mmdet'],
            'package': f'{mmdet_kdrank.__version__}, sources {sources_digest()}',
        }
        self._tried: dict[str, dict] = {}
        lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
        for entry in map(json.loads, lines):
            if all(entry[name] == self.origin[name] for name in ORIGIN if name != 'date'):
                self._tried[entry['key']] = entry

    def outcome(self, key: str) -> Outcome | None:
        """The outcome of a run, None where it has not been tried."""
        entry = self._tried.get(key)
        return entry and Outcome(entry['result'], entry['reason'], entry['seconds'])

    def origin_of(self, key: str) -> dict[str, str]:
        """Date and versions of a run that has been tried."""
        return {name: self._tried[key][name] for name in ORIGIN}

    def add(self, key: str, outcome: Outcome) -> None:
        """Write down an outcome."""
        self._tried[key] = dict(key=key, **self.origin, **vars(outcome))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open('a', encoding='utf-8') as file:
            file.write(json.dumps(self._tried[key]) + '\n')


def sources_digest() -> str:
    """Digest of what decides the outcome of a run: what was tried with other sources is stale."""
    return fingerprint(
        ''.join(
            f'{file.relative_to(path.parent)}\n{file.read_text(encoding="utf-8")}'
            for path in SOURCES
            for file in ([path] if path.is_file() else sorted(path.rglob('*.py')))
        )
    )[:8]
