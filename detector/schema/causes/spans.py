"""Reasons why intervals of picture or sound were not examined."""

from __future__ import annotations

from detector.schema.causes.cause import CauseCode
from detector.schema.formatting import N_


class SpanCode(CauseCode):
    """Why an interval of picture or sound was not examined."""

    UNUSABLE_FACES = N_("faces %(flaws)s to judge")
    NO_FACE_FOUND = N_("no face found")
    NOT_DECODED = N_("no picture could be decoded here")
    FROM_DAMAGED = N_("frames here rest on damaged or missing ones")
    BREAKS_OFF = N_("the file breaks off here")
    SOUND_NOT_DECODED = N_("not decoded")
    SILENCE = N_("silence")
    NO_SPEECH = N_("no speech (music, noise)")
    TOO_LITTLE_SPEECH = N_("too little speech")
    PAUSES = N_("pauses between words")
