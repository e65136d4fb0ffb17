"""Finished trainings that the tests of this folder share."""

from tests.finished_runs import saved, trained_run  # noqa: F401
