"""Check the environment: `python -m mmdet_kdrank.doctor`; exit status 0 (sound) or 1."""

from __future__ import annotations

import sys

from mmdet_kdrank.environment.known_faults import ALL_CHECKS, gather
from mmdet_kdrank.environment.versions import Facts


def examine(facts: Facts) -> tuple[list[str], int]:
    """Run all checks.

    Args:
        facts: What is known about the environment.

    Returns:
        One line for each check, and the number of faults.
    """
    width = max(len(check.name) for check in ALL_CHECKS)
    lines, faults = [], 0
    for check in ALL_CHECKS:
        fault = check.probe(facts)
        faults += fault is not None
        lines.append(f'{check.name:<{width}}  {f"FAULT  {fault}" if fault else "ok"}')
    return lines, faults


def summary(facts: Facts, faults: int) -> str:
    """Return the closing line."""
    device = 'no CUDA device' if 'CUDA' in facts.errors else 'CUDA'
    names = ('torch', *(facts.family.bounds[module].package for module in ('mmcv', 'mmdet')))
    stack = ', '.join(f'{name} {facts.versions[name]}' for name in names if name in facts.versions)
    return f'{"sound" if not faults else f"{faults} fault(s)"}: {stack or "no stack"}, {device}'


def main() -> int:
    """Print the checks and return the exit status."""
    facts = gather()
    lines, faults = examine(facts)
    print('\n'.join([*lines, summary(facts, faults)]))
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
