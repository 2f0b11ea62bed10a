"""Measure how much of an exhibit was examined, and describe what was not."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detector.faces.quality import join_flaws
from detector.media.stream.packet_stats import MOST_FAILURES
from detector.schema.analysis import Coverage, Media, Span
from detector.schema.formatting import N_
from detector.scoring.first_pass import FirstPassResult
from detector.verdict.reasons import count_text

NOT_DECODED = "no picture could be decoded here"
FROM_DAMAGED = "frames here rest on damaged or missing ones"
DAMAGED = frozenset({NOT_DECODED, FROM_DAMAGED})
"""Reasons of stretches in which nothing is known of what was recorded."""


def measure_coverage(first_pass: FirstPassResult, media: Media, missing: float, rate: float) -> Coverage:
    """Measure the coverage of a first pass; ``missing`` is the number of seconds missing at the end of the
    file.
    """
    all_rows, sampled = first_pass.detections.rows, first_pass.detections.sampled
    rows = sampled.rows
    usable = np.unique(rows["time"][rows["usable"]])
    flaws: dict[float, set[str]] = defaultdict(set)
    for time, flaw in rows[["time", "flaw"]][~np.isin(rows["time"], usable)].tolist():
        flaws[time].add(flaw)
    damaged = list(damaged_spans(media))
    spans: list[Span] = []
    if not media.still:
        spans = _without_usable_face(first_pass.times, usable, flaws, damaged, media.duration)
    spans += [*damaged, *damage_gaps(media, first_pass.times, rate)]
    spans.sort(key=lambda span: span.start)
    spans += _behind_the_end(media, missing)
    return Coverage(
        frames_sampled=len(first_pass.times),
        frames_from_damaged=first_pass.from_damaged,
        frames_with_face=len(usable) + len(flaws),
        frames_with_usable_face=len(usable),
        faces_found=len(rows),
        faces_unusable=int(np.count_nonzero(~rows["usable"])),
        flaws=dict(Counter(sorted(rows["flaw"][~rows["usable"]].tolist()))),
        faces_interpolated=int(np.count_nonzero(rows["interpolated"])),
        faces_discarded=first_pass.discarded,
        frames_between=len(np.unique(all_rows["pts"][all_rows["between"] & all_rows["usable"]])),
        cuts=tuple(first_pass.cuts),
        not_examined=tuple(spans),
        quality=sampled.face_quality(),
    )


def _without_usable_face(
    times: Sequence[float],
    usable: NDArray[np.float64],
    flaws: Mapping[float, Iterable[str]],
    damaged: Sequence[Span],
    duration: float,
) -> list[Span]:
    """Return the spans between sampled ``times`` without usable faces, joined by reason.

    ``flaws`` are the flaws of the faces at those times.
    """
    spans: list[Span] = []
    for i in np.flatnonzero(~np.isin(times, usable)).tolist():
        time = times[i]
        reason = "no face found"
        if time in flaws:
            reason = N_("faces %(flaws)s to judge") % {"flaws": join_flaws(sorted(flaws[time]))}
        end = times[i + 1] if i + 1 < len(times) else duration
        end = min([end, *(span.start for span in damaged if time < span.start)])
        if spans and spans[-1].reason == reason and spans[-1].end == time:
            spans[-1] = Span(start=spans[-1].start, end=end, reason=reason)
        else:
            spans.append(Span(start=time, end=max(end, time), reason=reason))
    return spans


def _behind_the_end(media: Media, missing: float) -> Iterator[Span]:
    """Yield the spans after the last decoded frame."""
    end = media.duration
    if media.lost_at_end:
        yield Span(start=end, end=end + media.lost_at_end, reason=NOT_DECODED)
        end += media.lost_at_end
    if missing:
        yield Span(start=end, end=end + missing, reason="the file breaks off here")


def damaged_spans(media: Media) -> Iterator[Span]:
    """Yield the spans whose frames depend on damaged or missing pictures."""
    timing = media.details.timing if media.details else None
    for stretch in timing.from_damaged if timing else ():
        yield Span(start=stretch.start, end=stretch.start + stretch.length, reason=FROM_DAMAGED)


def damage_gaps(media: Media, times: Sequence[float], rate: float) -> Iterator[Span]:
    """Yield the spans without frames in a damaged file that are longer than usual and than the sampling
    interval.
    """
    timing = media.details.timing if media.details else None
    if timing is None or not media.frames_undecodable:
        return
    usual = timing.median_interval or 0.0
    gaps = [(gap.start, gap.start + gap.length) for gap in timing.gaps]
    excluded = [*gaps, *((span.start, span.end) for span in damaged_spans(media))]
    # Metadata lists only the longest gaps and the first failures; anything after these may be damaged.
    failed = [failure.time for failure in timing.failures if failure.time is not None]
    last_listed = max(failed, default=0.0) if len(timing.failures) >= MOST_FAILURES else math.inf
    for start, end in pairwise(times):
        if end - start <= max(2, 1 + usual * rate) / rate or any(a < end and start < b for a, b in excluded):
            continue
        if end > last_listed or any(start < time < end for time in failed):
            gaps.append((start, end))
    for start, end in gaps:
        yield Span(start=min(start + usual, end), end=end, reason=NOT_DECODED)


# Up to this share of lost frames, as at a cut or the start of a stream, is not mentioned.
_FEW_LOST = 0.02
_FEW_SEEN = 0.01  # share of transparent pixels that is not mentioned, as in round corners


def unexamined_sentences(media: Media, missing: float) -> list[str]:
    """Return the sentences about parts of the file that were not examined.

    ``missing`` is the number of seconds missing at its end.
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
    """Return the sentences about further picture tracks, and pictures beside the photo."""
    sentences = []
    if media.details and (others := media.details.other_pictures):
        stream_names = ", ".join(N_("stream %(index)s") % {"index": stream.index} for stream in others)
        sentences.append(
            N_("The file holds %(count)s, not looked at (%(named)s).")
            % {"count": count_text(len(others), "more picture track"), "named": stream_names}
            if len(others) == 1
            else N_("The file holds %(others)s more picture tracks, not looked at (%(named)s).")
            % {"others": len(others), "named": stream_names}
        )
    if media.details and media.details.picture and (end := media.details.picture.ends_at):
        words = N_("Its pictures end at %(share)s %% of the file; what follows was not looked at.")
        sentences.append(words % {"share": f"{100 * end:.0f}"})
    if media.still and media.details and (pages := media.details.other_pages):
        sentences.append(
            N_("The file holds %(count)s, not looked at.") % {"count": count_text(pages, "more picture")}
        )
    return sentences


def _under_and_behind(media: Media) -> list[str]:
    """Return the sentences about content below transparent parts and behind the picture."""
    sentences = []
    if media.picture and (media.picture.transparent or 0) >= _FEW_SEEN:
        sentences.append(
            N_("Parts of the picture are transparent; what the file holds under them was not looked at.")
        )
    if media.details and media.details.photo and media.details.photo.appended_video:
        sentences.append(
            N_("Behind the picture the file holds a video, as motion photos do; it was not looked at.")
        )
    return sentences


def _damaged(media: Media, missing: float) -> list[str]:
    if media.still and media.frames_undecodable:
        return [N_("The file is damaged: a part of the picture is missing and was not looked at.")]
    clauses = [*_lost_at_start(media), *_lost_within(media)]
    if media.lost_at_end:
        words = N_("the last %(seconds)s s cannot be decoded")
        clauses.append(words % {"seconds": f"{media.lost_at_end:.1f}"})
    if missing:
        clauses.append(N_("%(missing)s s are missing at its end") % {"missing": f"{missing:.1f}"})
    return (
        [N_("The file is damaged or incomplete: %(told)s.") % {"told": "; ".join(clauses)}] if clauses else []
    )


def _lost_within(media: Media) -> list[str]:
    if media.frames_undecodable + media.frames_from_damaged <= _FEW_LOST * media.frames:
        return []
    clauses = []
    if media.frames_undecodable:
        clauses.append(
            N_("%(frames_undecodable)s of its frames or packets could not be used")
            % {"frames_undecodable": f"{media.frames_undecodable:,}"}
        )
    if media.frames_from_damaged:
        clauses.append(
            N_("frames that rest on damaged or missing ones were not looked at (%(frames)s)")
            % {"frames": f"{media.frames_from_damaged:,}"}
        )
    return clauses


def _out_of_order(media: Media) -> list[str]:
    if media.frames_out_of_order <= _FEW_LOST * media.frames:
        return []
    return [
        N_("%(frames)s, each at a time that is not after the one before, were not looked at.")
        % {"frames": count_text(media.frames_out_of_order, "intact frame")}
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
