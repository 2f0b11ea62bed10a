"""Sentences that follow the reason, whatever the verdict is."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Coverage
from detector.schema.codec_names import codec_name
from detector.schema.translatable import N_
from detector.verdict.persons.finding_basis import MOST_GREY
from detector.verdict.reasons.words import who
from detector.verdict.validated_domain import MEASURED_CODECS


def mostly_grey(coverage: Coverage) -> list[str]:
    """What follows the reason where most faces of a video are such."""
    if coverage.quality is None or coverage.quality.grey <= MOST_GREY:
        return []
    return [
        N_(
            "Most faces judged are without colour, or toned in one; on such footage the networks were not "
            "measured."
        )
    ]


def motionless(names: Sequence[str]) -> list[str]:
    """What follows the reason where the faces of the persons ``names`` do not move."""
    words = N_(
        "%(who)s: the picture does not move, as where a photograph is shown in a video; hand a frame of it "
        "in as a photograph, which is judged by other rules."
    )
    return [words % {"who": who(names)}] if names else []


def covered(names: Sequence[str]) -> list[str]:
    """What follows the reason where the faces of the persons ``names``, not said of yet, are covered."""
    words = N_(
        "%(who)s: mouth or eyes seem covered, as by a mask, a hand or a caption; what was altered beneath "
        "cannot be seen, and scores of the rest say little."
    )
    return [words % {"who": who(names)}] if names else []


def other_codec(codec: str, coverage: Coverage) -> list[str]:
    """What follows the reason where faces of a video in another codec than those measured were judged.

    ``codec`` is FFmpeg's name of it.
    """
    if codec in MEASURED_CODECS or not coverage.frames_with_usable_face:
        return []
    words = N_(
        "The video is encoded in %(codec)s; scores depend on the codec, and thresholds and error rates rest "
        "on footage in H.264 and MPEG-4."
    )
    return [words % {"codec": codec_name(codec)}]
