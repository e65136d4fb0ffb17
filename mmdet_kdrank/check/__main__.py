"""`python -m mmdet_kdrank.check`."""

import sys

from mmdet_kdrank.check.command import main

sys.exit(main())
