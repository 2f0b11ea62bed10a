"""The sentences that state the result of a comparison and its limits."""

from __future__ import annotations

import math

from detector.schema.comparison import ComparedSegment, Comparison, Region
from detector.schema.formatting import N_, timecode

LIMITS = N_(
    "Nothing in the comparison says which of the two files is the original: what "
    "differs may have been changed in either of them, unless Content Credentials "
    "or a custody record say which came first. A face that does not differ may be "
    "manipulated in both files alike."
)
UNRELATED_LIMITS = N_(
    "It does not say that the exhibit is authentic: only that no part of this "
    "reference was found in it. A part shorter than half a second, one that fills "
    "less than a quarter of the picture, or one that runs backwards or more than "
    "twice as fast or as slowly may not be found."
)


def segment_statement(segment: ComparedSegment) -> str:
    """Return the sentence about one segment."""
    still = segment.start == segment.end
    interval = (
        N_("In the photo")
        if still
        else N_("Between %(start)s and %(end)s")
        % {"start": timecode(segment.start), "end": timecode(segment.end)}
    )
    return N_(
        "%(when)s the face of person %(person)s differs from the reference by "
        "%(face_times)s what compression, colour and scaling explain, while its "
        "surroundings differ by %(surroundings_times)s that."
    ) % {
        "when": interval,
        "person": segment.person,
        "face_times": _times(segment.difference),
        "surroundings_times": _times(segment.surroundings),
    }


def _times(difference: float) -> str:
    """Convert the log of a ratio of squares to a ratio of levels."""
    return N_("%(factor)s times") % {"factor": f"{math.exp(difference / 2):.1f}"}


def region_statement(region: Region) -> str:
    """Return the sentence about one region."""
    x0, y0, x1, y1 = (round(v) for v in region.box)
    interval = (
        ""
        if region.start == region.end
        else N_("between %(start)s and %(end)s ")
        % {"start": timecode(region.start), "end": timecode(region.end)}
    )
    return N_(
        "Part of the picture %(when)s(x %(x0)s to %(x1)s, y %(y0)s to %(y1)s) differs "
        "from the reference by %(times)s what compression, colour and scaling explain."
    ) % {"when": interval, "x0": x0, "x1": x1, "y0": y0, "y1": y1, "times": _times(region.difference)}


def small_faces_remark(count: int, least: float) -> str:
    """Return the remark on faces too small to compare, counted in each frame; ``least`` is in pixels."""
    if count == 1:
        sentence = N_(
            "In one compared frame one face is less than %(least)s pixels wide in one of the files."
        )
    else:
        sentence = N_(
            "%(count)s faces, counted frame by frame, are less than %(least)s pixels wide in one "
            "of the files."
        )
    return sentence % {"count": f"{count:,}", "least": f"{least:g}"}


def hidden_faces_remark(count: int) -> str:
    """Return the remark on faces outside the reference."""
    if count == 1:
        return N_("In one compared frame one face lies where the reference shows nothing.")
    return N_("%(count)s faces, counted frame by frame, lie where the reference shows nothing.") % {
        "count": f"{count:,}"
    }


def summary(comparison: Comparison) -> str:
    """Return the result of the whole comparison."""
    if not comparison.related or comparison.transform is None:
        return N_("The exhibit shows no part of the reference: the two files are unrelated.")
    parts = [_shown(comparison)]
    if comparison.segments:
        parts += [segment.statement for segment in comparison.segments]
    elif comparison.persons:
        parts.append(N_("No face differs by more than compression, colour and scaling explain."))
    else:
        parts.append(N_("No face was found that could be compared."))
    if comparison.regions:
        count = len(comparison.regions)
        sentence = (
            N_("1 part of the picture beside the faces differs.")
            if count == 1
            else N_("%(count)s parts of the picture beside the faces differ.")
        )
        parts.append(sentence % {"count": count})
    return " ".join(parts)


def _shown(comparison: Comparison) -> str:
    transform = comparison.transform
    assert transform is not None
    ways = []
    if transform.mirror:
        ways.append(N_("mirrored"))
    if abs(transform.scale - 1) > 0.01:
        ways.append(N_("at %(scale)s times the size") % {"scale": f"{transform.scale:.2f}"})
    if abs(transform.rotation) > 0.3:
        ways.append(N_("turned by %(rotation)s degrees") % {"rotation": f"{transform.rotation:.1f}"})
    reference = comparison.reference
    x0, y0, x1, y1 = transform.crop
    share = (x1 - x0) * (y1 - y0) / (reference.width * reference.height)
    if share < 0.98:
        ways.append(N_("cropped to %(share)s of its picture") % {"share": f"{share:.0%}"})
    changes = f", {', '.join(ways)}" if ways else ""
    if comparison.reference.duration == 0:
        return N_("The exhibit shows the picture of the reference%(how)s.") % {"how": changes}
    if comparison.exhibit.duration == 0:
        at = comparison.time_map[0].reference.start
        return N_("The exhibit shows the reference at %(at)s%(how)s.") % {"at": timecode(at), "how": changes}
    count = len(comparison.time_map)
    seconds = sum(piece.exhibit.end - piece.exhibit.start for piece in comparison.time_map)
    stretches = N_("one stretch") if count == 1 else N_("%(count)s stretches") % {"count": count}
    return N_("The exhibit shows %(stretches)s of the reference, %(shown)s seconds together%(how)s.") % {
        "stretches": stretches,
        "shown": f"{seconds:.1f}",
        "how": changes,
    }
