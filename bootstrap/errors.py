"""The exception of the set-up; users see its message alone, without a traceback."""


class SetupError(Exception):
    """A set-up step cannot continue; the message names the fault and its fix."""
