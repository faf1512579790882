"""The ways a job can end early that are nobody's bug."""


class Refused(ValueError):
    """What was asked cannot be done; the message is the sentence a person reads.

    It says what was asked, what was found and what would work.
    """


class Unsettled(Refused):
    """Refused by circumstances that may change, such as a network or a full disk: the same may be asked again."""


class Crowded(Unsettled):
    """Refused because memory is short where it was tried: another worker may have room, or the same one later."""


class Cancelled(Exception):
    """Nobody wants the answer any more; raised by `step` inside a running method."""
