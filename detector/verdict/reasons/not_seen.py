"""What of the file itself was not looked at: the sentences that follow the verdict's reason."""

from __future__ import annotations

from detector.schema.analysis import Media
from detector.schema.translatable import N_
from detector.verdict.reasons.words import counted

# A few frames lost at a cut or at the start of a stream are not worth a sentence of the reason.
_FEW_LOST = 0.02
_FEW_SEEN = 0.01  # of a picture through which the ground is seen, as in round corners


def not_seen(media: Media, missing: float) -> list[str]:
    """What of the file itself was not looked at, in sentences that follow the verdict's reason.

    ``missing`` is the number of seconds that its end breaks off early.
    """
    return [
        *_turned(media),
        *_other_pictures(media),
        *_under_and_behind(media),
        *_out_of_order(media),
        *_damaged(media, missing),
    ]


def _turned(media: Media) -> list[str]:
    if not media.turned:
        return []
    words = N_(
        "Its faces do not stand upright as the file is stored; it was examined turned by %(turned)s° "
        "clockwise."
    )
    return [words % {"turned": media.turned}]


def _other_pictures(media: Media) -> list[str]:
    """Picture tracks beside the one that was examined, and pictures beside the photo."""
    found = []
    if media.details and (others := media.details.other_pictures):
        named = ", ".join(N_("stream %(index)s") % {"index": stream.index} for stream in others)
        found.append(
            N_("The file holds %(count)s, not looked at (%(named)s).")
            % {"count": counted(len(others), "more picture track"), "named": named}
            if len(others) == 1
            else N_("The file holds %(others)s more picture tracks, not looked at (%(named)s).")
            % {"others": len(others), "named": named}
        )
    if media.details and media.details.picture and (end := media.details.picture.ends_at):
        words = N_("Its pictures end at %(share)s %% of the file; what follows was not looked at.")
        found.append(words % {"share": f"{100 * end:.0f}"})
    if media.still and media.details and (pages := media.details.other_pages):
        found.append(
            N_("The file holds %(count)s, not looked at.") % {"count": counted(pages, "more picture")}
        )
    return found


def _under_and_behind(media: Media) -> list[str]:
    """What lies under transparent parts, and behind the picture."""
    found = []
    if media.picture and (media.picture.transparent or 0) >= _FEW_SEEN:
        found.append(
            N_("Parts of the picture are transparent; what the file holds under them was not looked at.")
        )
    if media.details and media.details.photo and media.details.photo.appended_video:
        found.append(
            N_("Behind the picture the file holds a video, as motion photos do; it was not looked at.")
        )
    return found


def _damaged(media: Media, missing: float) -> list[str]:
    if media.still and media.frames_undecodable:
        return [N_("The file is damaged: a part of the picture is missing and was not looked at.")]
    told = [*_lost_at_start(media), *_lost_within(media)]
    if media.lost_at_end:
        words = N_("the last %(seconds)s s cannot be decoded")
        told.append(words % {"seconds": f"{media.lost_at_end:.1f}"})
    if missing:
        told.append(N_("%(missing)s s are missing at its end") % {"missing": f"{missing:.1f}"})
    return [N_("The file is damaged or incomplete: %(told)s.") % {"told": "; ".join(told)}] if told else []


def _lost_within(media: Media) -> list[str]:
    if media.frames_undecodable + media.frames_from_damaged <= _FEW_LOST * media.frames:
        return []
    told = []
    if media.frames_undecodable:
        told.append(
            N_("%(frames_undecodable)s of its frames or packets could not be used")
            % {"frames_undecodable": f"{media.frames_undecodable:,}"}
        )
    if media.frames_from_damaged:
        told.append(
            N_("frames that rest on damaged or missing ones were not looked at (%(frames)s)")
            % {"frames": f"{media.frames_from_damaged:,}"}
        )
    return told


def _out_of_order(media: Media) -> list[str]:
    if media.frames_out_of_order <= _FEW_LOST * media.frames:
        return []
    return [
        N_("%(frames)s, each at a time that is not after the one before, were not looked at.")
        % {"frames": counted(media.frames_out_of_order, "intact frame")}
        if media.frames_out_of_order > 1
        else N_("1 intact frame, at a time that is not after the one before, was not looked at.")
    ]


def _lost_at_start(media: Media) -> list[str]:
    if not media.lost_at_start:
        return []
    seconds = f"{media.lost_at_start:.1f}"
    groups = media.details.groups if media.details else None
    if groups is None or groups.begins_with_key is not False:
        return [N_("the first %(seconds)s s cannot be decoded") % {"seconds": seconds}]
    return [
        N_("the first %(seconds)s s cannot be decoded (they begin between two key frames)")
        % {"seconds": seconds}
    ]
