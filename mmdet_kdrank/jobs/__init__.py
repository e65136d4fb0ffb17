"""Trainings in processes of their own: side by side, resumed, and none left behind."""

from .exclusive import exclusive, signals_interrupt
from .job import Job
from .pool import run_jobs
from .training import Training

__all__ = ['Job', 'Training', 'exclusive', 'run_jobs', 'signals_interrupt']
