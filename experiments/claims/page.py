"""The claims as a page."""

from __future__ import annotations

from experiments.claims.logits import RARE
from experiments.claims.tables import TABLES, cell
from mmdet_kdrank.files.markdown import markdown_table

_PAGE = """# The claims, one by one

**What was asked.** Eight claims are made for the ranking loss. Do they hold? Each was measured on
logits, with bounds that say what words like "almost none" are taken to mean. {sets}

**What came out.**

{summary}

A claim *holds* if every number keeps its bound, *fails* if none does, and else *holds partly*. Its
section shows the numbers, and the cases where it ends.

**What it does not say.** None of this says whether mAP rises: that takes paired trainings
([experiments](experiments.md)).

{sections}

## How this page is made

```sh
python tools/analyze.py claims --logits docs/reports/data/shapes_logits.npz --out docs/reports
```

It writes this page, the plots and `docs/reports/data/claims.json`, which holds every number, in
under three minutes of one CPU core ({seconds} s here). Without `--logits` the pair is the one that
`make demo` left; `--student CONFIG CHECKPOINT --teacher CONFIG CHECKPOINT` takes any two-stage or
single-stage pair, whose student's `val_dataloader` is read, and `--save-logits FILE` keeps their
logits. Heads with sigmoids get binary KD in KL's place, and no DKD. Every random number has a seed.

- **Logits**: {logits}
- **Losses**: the registered ones, in float64: KL is `KnowledgeDistillationKLDivLoss`, summed over
  classes, rank is `KendallRankLoss` with its defaults, both with weight 1 as in `configs/shapes`.
- **Unlikely**: a class to which the teacher gives less than {rare:g}. **Near**: the student is the
  teacher with normal noise of 0.1.
- **Bounds**: they are in the JSON file.
- {date}, commit {commit}, {hardware}, torch {torch}.
"""

_CAPTIONS = {
    'gradient': 'Above: the gradient on a class against the probability that the teacher gives it, '
    'likely classes to the left; medians. KL falls with it, temperatures flatten the fall, MSE and '
    'rank fall far less or not at all. Below: what the unlikely classes get of the sum, to which '
    'the few classes on which the student errs badly add most; 1 would be their fair part.',
    'rebalance': 'Above: the part of the unlikely classes against the weight of rank alongside KL. '
    'Below: how well they are ordered before and after descending each loss from the student.',
    'counterexamples': 'Black is KL. Where a line falls below it, the ranking loss gives less: '
    'tanh and erf, for a class alone far below the rest; and all of them, for a pair far out of '
    'order, the heavier tails least.',
    'scale': 'Direction (1: unchanged) and length of the gradient when one side is scaled.',
    'agreement': "Descent from the trained student (solid) and from the teacher's own logits "
    '(dashed), where a loss that agrees with KL would stay.',
    'optima': 'Mean over runs from random starts, one a row.',
    'steepness': 'The ranking loss alone, with tanh.',
}
_TITLES = {
    'gradient': 'Where the gradient goes',
    'rebalance': 'What rank adds to KL',
    'counterexamples': 'Where it saturates',
    'plug_and_play': 'Plug and play',
    'scale': 'Scaled logits',
    'agreement': 'With KL or against it',
    'optima': 'From random starts',
    'steepness': 'Steepness',
}
_LANDSCAPE = (
    '![The losses over planes of logits](images/claims_landscape.png)\n\n'
    'Above: all there is of three classes, with descents in orange. KL leads them all to the '
    'teacher `t`. Rank leads them to where the order is right, a plain: its plain form goes on '
    'downhill, away from `t`, the cosine form comes to rest on it, nowhere in particular. Together '
    'they end near `t`, a little off. Below: a plane through a row, its teacher `t`, student `s` '
    'and a random start.'
)


def page_of(record: dict) -> str:
    """Write the page.

    Args:
        record: The JSON file.

    Returns:
        Markdown.
    """
    claims = record['claims']
    real = record['logits'].get('rows')
    sets = (
        'The rows are those of a trained teacher and student, foreground and\nbackground apart, '
        'and random ones.'
        if real
        else 'The rows are random: no trained pair was looked at.'
    )
    summary = markdown_table(
        ['claim', 'verdict', 'numbers within bounds'],
        [
            [
                f'[{_TITLES[claim["key"]]}](#{_anchor(_TITLES[claim["key"]])}): '
                f'{claim["statement"]}',
                f'**{claim["verdict"]}**',
                f'{sum(check["met"] for check in claim["checks"])} of {len(claim["checks"])}',
            ]
            for claim in claims
        ],
    )
    return _PAGE.format(
        sets=sets,
        summary=summary,
        sections='\n\n'.join(_section(claim) for claim in claims),
        seconds=record['cpu_seconds'],
        logits=_made(record['logits'], record['seed']),
        rare=RARE,
        date=record['date'][:10],
        commit=(record['commit'] or 'unknown')[:12],
        hardware=record['hardware'],
        torch=record['versions']['torch'],
    )


def _section(claim: dict) -> str:
    key = claim['key']
    parts = [f'## {_TITLES[key]}']
    if key in _CAPTIONS:
        parts.append(f'![{_TITLES[key]}](images/claims_{key}.png)\n\n{_CAPTIONS[key]}')
    if key == 'optima':
        parts.append(_LANDSCAPE)
    parts += [
        f'**Claim**: {claim["statement"]} ({claim["source"]})',
        f'**Verdict**: {claim["verdict"]}. {claim["limits"]}',
    ]
    if key in TABLES:
        parts.append(TABLES[key](claim['data']))
    parts.append(_checks(claim['checks']))
    return '\n\n'.join(parts)


def _checks(checks: list[dict]) -> str:
    rows = [
        [
            check['what'],
            cell(check['value']),
            f'{"at most" if check["relation"] == "<=" else "at least"} {check["bound"]:g}',
            'yes' if check['met'] else '**no**',
        ]
        for check in checks
    ]
    return (
        '<details markdown="1">\n<summary>Every number that decides</summary>\n\n'
        f'{markdown_table(["number", "measured", "bound", "kept"], rows)}\n\n</details>'
    )


def _made(made: dict, seed: int) -> str:
    drawn = (
        f'random ones (seed {seed}): a teacher of normal logits with standard deviation 3, a '
        'student off by normal noise of 1.'
    )
    if 'rows' not in made:
        return drawn
    rows = ', '.join(f'{count} {name}' for name, count in made['rows'].items())
    return (
        f'{rows} rows, drawn at random (seed {made["seed"]}) from the {made["source"]}: '
        f'student {made["student"]}; teacher {made["teacher"]}. And {drawn}'
    )


def _anchor(title: str) -> str:
    return title.lower().replace(' ', '-')
