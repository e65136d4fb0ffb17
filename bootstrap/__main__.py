"""Command line of the set-up: `python -m bootstrap --stack modern --venv .venv`."""

import argparse
import sys
from pathlib import Path

from bootstrap.errors import SetupError
from bootstrap.stacks import STACKS
from bootstrap.steps import set_up


def main() -> int:
    """Set up the environment and return the exit status."""
    parser = argparse.ArgumentParser(prog='bootstrap', description=__doc__)
    parser.add_argument('--stack', choices=STACKS, default='modern')
    parser.add_argument('--venv', type=Path, default=Path('.venv'))
    args = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    try:
        set_up(root, args.stack, root / args.venv)
    except SetupError as error:
        print(f'set-up stopped: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nset-up interrupted; the same command continues from here', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
