"""Exceptions that callers of the engine may catch, all below one base class.

Each message says what happened and what to do next.
"""


class ReelproofError(Exception):
    """Base class of all errors that Reelproof raises deliberately."""


class MediaError(ReelproofError):
    """The file cannot be read as an accepted video, photo or recording of sound."""


class NotOpenedError(MediaError):
    """The file cannot be opened for a reason that may be temporary: it is missing or not readable."""


class SoundOnlyError(MediaError):
    """The file holds sound and no picture, where pictures are needed."""


class PicturesNotReadError(MediaError):
    """The pictures of a video cannot be decoded; its sound may be."""


class ModelError(ReelproofError):
    """A model's weights or card are missing, damaged or do not fit together."""


class ParameterError(ReelproofError):
    """A setting has an invalid value."""


class FingerprintError(ReelproofError):
    """A perceptual fingerprint cannot be read."""


def last_line(problem: Exception) -> str:
    """Return the last line of an unforeseen error's message, which may be a traceback."""
    return (str(problem).strip().splitlines() or [""])[-1]
