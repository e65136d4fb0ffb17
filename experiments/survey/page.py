"""The survey as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from experiments.survey.distilling import DISTILLERS, OTHER
from experiments.survey.outcome import FAILED, NOT_RUN, REFUSED, WORKS
from mmdet_kdrank.check.random_batch import SIZES, Sizes
from mmdet_kdrank.files.markdown import markdown_table

RESULTS = (WORKS, REFUSED, FAILED, NOT_RUN)
TITLES = {
    **{family: f'{family.capitalize()}: `{d.__name__}`' for family, d in DISTILLERS.items()},
    OTHER: 'Other detectors',
    '': 'Files without a model here',
}
PAGE = """# Supported detectors

**What was asked.** Which configs of MMDetection {mmdet} can be turned into a distilling config by
the six lines of [Training](../how_to/training.md#your-own-config)? All {total} config files outside
`_base_` were tried. Each got a teacher of the same config with other random weights, KL and rank.

**What came out.**

{summary}

**What the words mean.** A config *works* if one training step on two random images of {sizes}
pixels (SSD: its own size) meets these conditions:

- it logs both losses for every distilled head, and each loss has a gradient;
- all values are finite;
- the checkpoint has the stock detector's keys.

*Refused*: a distiller refused it, for the reason given. *Failed*: anything else. *Not run*: there
is nothing to run, or the stock config does not train here either.

**What it does not say.** It does not say whether distilling a detector improves its mAP. Pretrained
weights were left out and RoIs were few; everything else is as in the config. Configs whose models
are then the same share one of the {runs} runs.

[Which logits are distilled](../explanation/class_logits.md) says what the logits of each head are.

**How to make it again.** `python tools/survey_detectors.py` writes
`docs/reports/supported_detectors.csv`, a row for each config, and continues where it stopped.
`--only` and `--family` renew some of the rows; `--report` makes this page from the rows.
{date}; torch {torch}, mmdet_kdrank {package}. Some configs need mmpretrain, timm or scikit-image,
which were installed as well.
"""


def page_of(rows: Sequence[dict[str, str]]) -> str:
    """Write the page.

    Args:
        rows: What :func:`rows_of` returns, or its CSV read again.

    Returns:
        Markdown.
    """
    origins = {
        name: ' and '.join(sorted({row[name] for row in rows}))
        for name in ('date', 'torch', 'mmdet', 'package')
    }
    families = [family for family in TITLES if any(row['family'] == family for row in rows)]
    head = PAGE.format(
        **origins,
        sizes=' or, where a detector needs more, '.join(map(_listed, SIZES)),
        total=len(rows),
        runs=len({row['run'] for row in rows} - {''}),
        summary=_summary(rows, families),
    )
    parts = [_section(family, [r for r in rows if r['family'] == family]) for family in families]
    return '\n'.join([head, *parts])


def _listed(sizes: Sizes) -> str:
    return ' and '.join(f'{height} × {width}' for height, width in sizes)


def _summary(rows: Sequence[dict[str, str]], families: Sequence[str]) -> str:
    lines = []
    for name, chosen in (
        *((TITLES[f].split(':')[0], [r for r in rows if r['family'] == f]) for f in families),
        ('**All**', rows),
    ):
        counts = Counter(row['result'] for row in chosen)
        lines.append([name, *(counts[result] or '' for result in RESULTS)])
    return _table(['configs', *RESULTS], lines)


def _section(family: str, rows: Sequence[dict[str, str]]) -> str:
    """Return a table with a row for each folder, kind of detector, and reason."""
    groups: dict[tuple[str, ...], Counter] = {}
    for row in rows:
        folder = PurePosixPath(row['config']).parts[0]
        key = (folder, row['detector'], row['head'], row['reason'])
        groups.setdefault(key, Counter())[row['result']] += 1
    results = [result for result in RESULTS if any(counts[result] for counts in groups.values())]
    lines = [
        [folder, detector, head, *(counts[result] or '' for result in results), reason]
        for (folder, detector, head, reason), counts in sorted(groups.items())
    ]
    names = ['folder', 'detector', 'class head', *results, 'why']
    return f'## {TITLES[family]}\n\n{_table(names, lines)}\n'


def _table(names: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table without its empty columns."""
    lines = list(lines)
    kept = [i for i in range(len(names)) if any(line[i] for line in lines)]
    return markdown_table([names[i] for i in kept], ([line[i] for i in kept] for line in lines))
