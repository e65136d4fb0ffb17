"""The paper bound: what must be done, and how fast a machine could do it."""

from benchmarks.limit.machine import H200, Cpu, Gpu, Machine, calibrated_cpu, machine_of
from benchmarks.limit.work import Work, pair_work, work

__all__ = [
    'H200',
    'Cpu',
    'Gpu',
    'Machine',
    'Work',
    'calibrated_cpu',
    'machine_of',
    'pair_work',
    'work',
]
