"""What the operator's package asks of an environment."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_ops_need_torch_alone():
    """Loaded as a package of its own, with MMDetection and its family out of reach."""
    code = (
        'import sys, types\n'
        'for name in ("mmdet", "mmcv", "mmengine"): sys.modules[name] = None\n'
        'package = types.ModuleType("mmdet_kdrank")\n'
        f'package.__path__ = [{str(ROOT / "mmdet_kdrank")!r}]\n'
        'sys.modules["mmdet_kdrank"] = package\n'
        'from mmdet_kdrank.ops import kendall_tau\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
