"""Exceptions that callers of the engine may catch, all below one base class."""


class ReelproofError(Exception):
    """Root of every error Reelproof raises on purpose."""


class MediaError(ReelproofError):
    """The file cannot be read as a video or photo this program accepts."""


class NotOpenedError(MediaError):
    """The file cannot be opened, for a reason that may pass: it is not there now, or not to be read."""


class ModelError(ReelproofError):
    """A model's weights or card are missing, damaged or do not fit together."""


class ParameterError(ReelproofError):
    """A setting is outside the range in which it means anything."""


class FingerprintError(ReelproofError):
    """A perceptual fingerprint cannot be read."""


def last_line(problem: Exception) -> str:
    """What an error that nobody foresaw says in the end: its text may be a traceback."""
    return (str(problem).strip().splitlines() or [""])[-1]
