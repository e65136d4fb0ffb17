"""The one exception whose message is all that a user needs to see."""


class SetupError(Exception):
    """A set-up step cannot go on; the message names the fault and its mend."""
