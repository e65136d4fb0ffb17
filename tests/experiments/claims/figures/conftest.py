from tests.finished_runs import saved  # noqa: F401
