"""What every benchmark needs: where it ran, time, memory, and rows of CSV."""

from benchmarks.harness.environment import device_slug, environment, require_device
from benchmarks.harness.memory import peak_extra_bytes
from benchmarks.harness.rows import read_rows, write_rows
from benchmarks.harness.timing import Timing, captured, side_by_side

__all__ = [
    'Timing',
    'captured',
    'device_slug',
    'environment',
    'peak_extra_bytes',
    'read_rows',
    'require_device',
    'side_by_side',
    'write_rows',
]
