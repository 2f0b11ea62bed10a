"""Reasons of the verdict on the voices."""

from __future__ import annotations

from detector.schema.causes.cause import CauseCode
from detector.schema.formatting import N_


class VoiceCode(CauseCode):
    """Why the verdict on the voices is what it is."""

    @property
    def code(self) -> str:
        return f"voice_{super().code}"

    NO_SOUND = N_("The file has no sound.")
    NOT_DECODED = N_("The sound cannot be decoded: it is damaged or in an unknown codec.")
    REFUSED = N_("The sound was not examined. %(problem)s")
    ERROR = N_("The sound could not be examined, because of an unexpected error (%(error)s).")
    OUT_OF_MEMORY = N_("The sound could not be examined: it needs more memory than is allowed.")
    NO_SPEECH = N_("There is no speech in the sound.")
    TOO_LITTLE = N_("There is too little speech to judge; at least %(seconds)s s are needed.")
    FOUND = N_(
        "%(seconds)s s of speech were judged. In %(segments)s the sound resembles synthetic speech, as do "
        "most changed copies of it (shifted, re-encoded, with a little noise)."
    )
    BELOW_THRESHOLD = N_(
        "%(seconds)s s of speech were judged; nowhere does the sound resemble synthetic speech enough for a "
        "finding."
    )
    DOUBTFUL = N_(
        "The score of the speech is below the threshold for a finding, yet is too high to rule one out."
    )
    UNSTABLE = N_(
        "Speech reached the threshold for a finding, but not in most of several views of the same sound "
        "(shifted, re-encoded, with a little noise)."
    )
