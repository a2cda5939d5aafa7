"""The errors of Tanzheng, named for what the caller must do.

Every error says what was expected, what came, and where. `exit_code` is what the command
line ends with: 1 a fault of the system, 2 the input must be mended, 3 a check did not hold.
"""


class TanzhengError(Exception):
    """Base of all errors that a user may meet."""

    exit_code = 1

    def diagnostics(self) -> str:
        """A paragraph for a person: what to do now. Empty where the message says it all."""
        return ""


class BadInput(TanzhengError):
    """Something from outside has the wrong form: mend the input and try again."""

    exit_code = 2


class CheckFailed(TanzhengError):
    """A verification came to an end and its answer is no."""

    exit_code = 3


class EncodingError(BadInput):
    """Bytes that are not the one canonical encoding of what they claim to be."""


class SignatureInvalid(CheckFailed):
    """A signature does not belong to these bytes and this key."""


class SequenceError(CheckFailed):
    """A batch does not follow the head of its chain."""


class SequenceRepeated(SequenceError):
    """The sequence number was seen before: a duplicate if the bytes are equal, else a fork."""


class SequenceSkipped(SequenceError):
    """Batches are missing between the head and this one: ask for them again."""


class ChainBroken(SequenceError):
    """`prev` is not the hash of the head: these batches were not signed one after another."""


class EpochInvalid(SequenceError):
    """An epoch that does not open where the one before ended."""
