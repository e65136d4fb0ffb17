#!/usr/bin/env python
"""Print the last evaluation of runs as a Markdown table: results_table.py WORK_DIR [WORK_DIR …]."""

import argparse
import sys
from pathlib import Path

from mmdet_kdrank.errors import MissingFileError
from mmdet_kdrank.report.results_table import results_table


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dirs', nargs='+', type=Path, metavar='WORK_DIR')
    try:
        print(results_table(parser.parse_args().work_dirs))
    except MissingFileError as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
