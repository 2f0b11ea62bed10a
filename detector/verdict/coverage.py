"""Measure how much of an exhibit was examined, and describe what was not."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detector.media.stream.packet_stats import MOST_FAILURES
from detector.schema.analysis import Coverage, Media, Span
from detector.schema.causes.cause import Cause, CauseParameter
from detector.schema.causes.remarks import RemarkCode
from detector.schema.causes.spans import SpanCode

if TYPE_CHECKING:
    from detector.scoring.first_pass import FirstPassResult

NOT_DECODED = SpanCode.NOT_DECODED.cause()
FROM_DAMAGED = SpanCode.FROM_DAMAGED.cause()
DAMAGED = frozenset({SpanCode.NOT_DECODED.code, SpanCode.FROM_DAMAGED.code})
"""Codes of stretches in which nothing is known of what was recorded."""


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
        bars=first_pass.bars,
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
        cause = SpanCode.NO_FACE_FOUND.cause()
        if time in flaws:
            cause = SpanCode.UNUSABLE_FACES.cause(flaws=tuple(sorted(flaws[time])))
        end = times[i + 1] if i + 1 < len(times) else duration
        end = min([end, *(span.start for span in damaged if time < span.start)])
        if spans and spans[-1].cause == cause and spans[-1].end == time:
            spans[-1] = Span(start=spans[-1].start, end=end, cause=cause)
        else:
            spans.append(Span(start=time, end=max(end, time), cause=cause))
    return spans


def _behind_the_end(media: Media, missing: float) -> Iterator[Span]:
    """Yield the spans after the last decoded frame."""
    end = media.duration
    if media.lost_at_end:
        yield Span(start=end, end=end + media.lost_at_end, cause=NOT_DECODED)
        end += media.lost_at_end
    if missing:
        yield Span(start=end, end=end + missing, cause=SpanCode.BREAKS_OFF.cause())


def damaged_spans(media: Media) -> Iterator[Span]:
    """Yield the spans whose frames depend on damaged or missing pictures."""
    timing = media.details.timing if media.details else None
    for stretch in timing.from_damaged if timing else ():
        yield Span(start=stretch.start, end=stretch.start + stretch.length, cause=FROM_DAMAGED)


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
        yield Span(start=min(start + usual, end), end=end, cause=NOT_DECODED)


# Up to this share of lost frames, as at a cut or the start of a stream, is not mentioned.
_FEW_LOST = 0.02
_FEW_SEEN = 0.01  # share of transparent pixels that is not mentioned, as in round corners


def unexamined_causes(media: Media, missing: float) -> list[Cause]:
    """Return the causes about parts of the file that were not examined.

    ``missing`` is the number of seconds missing at its end.
    """
    details, causes = media.details, []
    if media.turned:
        causes.append(RemarkCode.ROTATED.cause(turned=media.turned))
    if details and (others := details.other_pictures):
        causes.append(RemarkCode.OTHER_TRACKS.cause(streams=tuple(stream.index for stream in others)))
    if details and details.picture and (end := details.picture.ends_at):
        causes.append(RemarkCode.TRAILING_DATA.cause(share=round(100 * end)))
    if media.still and details and (pages := details.other_pages):
        causes.append(RemarkCode.OTHER_PAGES.cause(pages=pages))
    if media.picture and (media.picture.transparent or 0) >= _FEW_SEEN:
        causes.append(RemarkCode.TRANSPARENT.cause())
    if details and details.photo and details.photo.appended_video:
        causes.append(RemarkCode.APPENDED_VIDEO.cause())
    if media.frames_out_of_order > _FEW_LOST * media.frames:
        causes.append(RemarkCode.OUT_OF_ORDER.cause(frames=media.frames_out_of_order))
    if media.still and media.frames_undecodable:
        causes.append(RemarkCode.PHOTO_DAMAGED.cause())
    elif damage := _damage(media, missing):
        causes.append(RemarkCode.DAMAGED.cause(**damage))
    return causes


def _damage(media: Media, missing: float) -> dict[str, CauseParameter]:
    """Return the parameters of the sentence about damage that are not zero."""
    groups = media.details.groups if media.details else None
    damage: dict[str, CauseParameter] = {"lost_at_start": media.lost_at_start}
    if media.lost_at_start and groups is not None and groups.begins_with_key is False:
        damage["between_key_frames"] = True
    if media.frames_undecodable + media.frames_from_damaged > _FEW_LOST * media.frames:
        damage |= {"undecodable": media.frames_undecodable, "from_damaged": media.frames_from_damaged}
    damage |= {"lost_at_end": media.lost_at_end, "missing": missing}
    return {name: value for name, value in damage.items() if value}
