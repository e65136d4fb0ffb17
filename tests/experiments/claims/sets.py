"""Logits on which the claims are tested: stored ones of a trained pair, and random ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.claims.logits import random_logits
from experiments.claims.npz import read_logits

ROOT = Path(__file__).resolve().parents[3]
STORED = ROOT / 'docs' / 'reports' / 'data' / 'shapes_logits.npz'
SETS = [*(logits.first(60) for logits in read_logits(STORED)[0]), random_logits(rows=60)]

each_set = pytest.mark.parametrize('logits', SETS, ids=lambda logits: logits.name)
