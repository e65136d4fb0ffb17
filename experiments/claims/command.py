"""``analyze.py claims``."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import DictAction

from experiments.claims import (
    agreement,
    counterexamples,
    gradient,
    optima,
    plug_and_play,
    rebalance,
    scale,
    steepness,
)
from experiments.claims.claim import Claim
from experiments.claims.figures import FIGURES
from experiments.claims.landscape import draw_landscapes
from experiments.claims.logits import LogitSet, random_logits
from experiments.claims.npz import save_logits
from experiments.claims.page import page_of
from experiments.claims.sources import real_logits
from mmdet_kdrank.runs.provenance import commit, provenance


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``claims`` to the command line of ``tools/analyze.py``."""
    parser = subparsers.add_parser(
        'claims',
        help='the claims made for the ranking loss, each with a number and a plot',
        description='Measure the claims made for the ranking loss on the logits of a trained pair '
        'and on random ones. Without an option the pair is the one that `make demo` left.',
    )
    pair = ('CONFIG', 'CHECKPOINT')
    parser.add_argument('--student', nargs=2, metavar=pair, help='its val_dataloader is read')
    parser.add_argument('--teacher', nargs=2, metavar=pair)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help="what changes in the student's config"
    )
    parser.add_argument('--logits', type=Path, help='file that --save-logits wrote')
    parser.add_argument('--random', action='store_true', help='random logits alone')
    parser.add_argument('--rows', type=int, default=300, help='of each kind, from a pair')
    parser.add_argument('--seed', type=int, default=0, help='of the random logits and the sampling')
    parser.add_argument('--save-logits', type=Path, metavar='FILE', help='keep those of the pair')
    parser.add_argument(
        '--out', type=Path, help='folder for claims.md, data/ and images/; default work_dirs/claims'
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Measure, plot and write the page.

    Args:
        args: Parsed arguments, with ``root``.

    Returns:
        Exit status.
    """
    out = args.out or args.root / 'work_dirs' / 'claims'
    started, sources = time.process_time(), commit()
    real, made = real_logits(args)
    if args.save_logits:
        save_logits(args.save_logits, real, made)
    activation = real[0].activation if real else 'softmax'
    sets = [*real, random_logits(args.seed, activation=activation)]
    claims = []
    for claim in measured(sets, args.root):
        claims.append(claim.record())
        print(f'{claim.verdict:13} {claim.statement}', flush=True)
    record = {
        'claims': claims,
        'logits': made,
        'seed': args.seed,
        'commit': sources,
        **provenance(),
    }
    images = out / 'images'
    images.mkdir(parents=True, exist_ok=True)
    for claim in claims:
        if claim['key'] in FIGURES:
            FIGURES[claim['key']](claim, images / f'claims_{claim["key"]}.png')
    draw_landscapes(sets, images / 'claims_landscape.png')
    record['cpu_seconds'] = round(time.process_time() - started)
    write(record, out)
    print(out / 'claims.md')
    return 0


def measured(sets: list[LogitSet], root: Path) -> Iterator[Claim]:
    """Measure every claim.

    Args:
        sets: The logits.
        root: Checkout with ``configs/``.

    Yields:
        In the order of the page.
    """
    yield gradient.claim(sets)
    yield rebalance.claim(sets)
    yield counterexamples.claim(sets)
    yield plug_and_play.claim(root)
    yield scale.claim(sets)
    yield agreement.claim(sets)
    yield optima.claim(sets)
    yield steepness.claim(sets)


def write(record: dict, out: Path) -> None:
    """Write ``data/claims.json`` and ``claims.md`` into a folder.

    Args:
        record: What was measured, and with what.
        out: The folder.
    """
    (out / 'data').mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1) + '\n'
    (out / 'data' / 'claims.json').write_text(text, encoding='utf-8')
    (out / 'claims.md').write_text(page_of(record), encoding='utf-8')
