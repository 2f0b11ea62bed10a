"""Remarks on a verdict, and on parts of the file that were not examined."""

from __future__ import annotations

from collections.abc import Sequence
from enum import member

from detector.schema.causes.cause import CauseCode, Words
from detector.schema.formatting import N_


def _other_tracks(words: Words, streams: Sequence[int]) -> str:
    """The file holds further picture tracks, not examined (%(streams)s)."""
    named = ", ".join(words.fill(N_("stream %(index)s"), index=index) for index in streams)
    if len(streams) == 1:
        return words.fill(
            N_("The file holds %(count)s, not examined (%(named)s)."),
            count=words.count(1, "more picture track"),
            named=named,
        )
    text = N_("The file holds %(others)s more picture tracks, not examined (%(named)s).")
    return words.fill(text, others=len(streams), named=named)


def _other_pages(words: Words, pages: int) -> str:
    """The file holds %(pages)s more pictures, not examined."""
    return words.fill(N_("The file holds %(count)s, not examined."), count=words.count(pages, "more picture"))


def _out_of_order(words: Words, frames: int) -> str:
    """%(frames)s intact frames with a time not later than that of the frame before were not examined."""
    if frames == 1:
        return words.fill(
            N_("1 intact frame with a time not later than that of the frame before was not examined.")
        )
    text = N_("%(frames)s with a time not later than that of the frame before were not examined.")
    return words.fill(text, frames=words.count(frames, "intact frame"))


def _damaged(
    words: Words,
    lost_at_start: float = 0.0,
    between_key_frames: bool = False,
    undecodable: int = 0,
    from_damaged: int = 0,
    lost_at_end: float = 0.0,
    missing: float = 0.0,
) -> str:
    """The file is damaged or incomplete: [what]."""
    start = N_("the first %(seconds)s s cannot be decoded")
    if between_key_frames:
        start = N_("the first %(seconds)s s cannot be decoded (they begin between two key frames)")
    clauses = (
        (start, "seconds", lost_at_start, ".1f"),
        (
            N_("%(frames_undecodable)s of its frames or packets could not be used"),
            "frames_undecodable",
            undecodable,
            ",",
        ),
        (
            N_("frames that depend on damaged or missing ones were not examined (%(frames)s)"),
            "frames",
            from_damaged,
            ",",
        ),
        (N_("the last %(seconds)s s cannot be decoded"), "seconds", lost_at_end, ".1f"),
        (N_("%(missing)s s are missing at its end"), "missing", missing, ".1f"),
    )
    damage = "; ".join(
        words.fill(text, **{name: words.number(f"{value:{form}}")})
        for text, name, value, form in clauses
        if value
    )
    return words.fill(N_("The file is damaged or incomplete: %(told)s."), told=damage)


class RemarkCode(CauseCode):
    """What follows the reason, whatever the verdict: what limits it, and what was not examined."""

    MOSTLY_GREY = N_(
        "Most faces judged are without colour, or toned in one; on such footage the networks were not "
        "measured."
    )
    MOTIONLESS = N_(
        "%(who)s: the picture does not move, as when a photograph is shown in a video; submit a frame "
        "of it as a photograph, which is judged by other rules."
    )
    COVERED = N_(
        "%(who)s: mouth or eyes seem covered, as by a mask, a hand or a caption; alterations beneath "
        "cannot be seen, and scores of the rest say little."
    )
    OTHER_CODEC = N_(
        "The video is encoded in %(codec)s; scores depend on the codec, and thresholds and error rates rest "
        "on footage in H.264 and MPEG-4."
    )
    ENLARGED = N_(
        "The pictures have no more detail than about %(width)s × %(height)s pixels, as after "
        "enlargement or blurring."
    )
    BARS = N_(
        "In %(frames)s the picture fills only %(width)s × %(height)s pixels between plain or blurred bars; "
        "any face in the bars repeats the picture and was left out."
    )
    ROTATED = N_(
        "Its faces do not stand upright as the file is stored; it was examined turned by %(turned)s° "
        "clockwise."
    )
    OTHER_TRACKS = member(_other_tracks)
    TRAILING_DATA = N_("Its pictures end at %(share)s %% of the file; what follows was not examined.")
    OTHER_PAGES = member(_other_pages)
    TRANSPARENT = N_("Parts of the picture are transparent; what the file holds under them was not examined.")
    APPENDED_VIDEO = N_(
        "Behind the picture the file holds a video, as motion photos do; it was not examined."
    )
    OUT_OF_ORDER = member(_out_of_order)
    PHOTO_DAMAGED = N_("The file is damaged: a part of the picture is missing and was not examined.")
    DAMAGED = member(_damaged)
