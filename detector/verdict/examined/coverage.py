"""What of an exhibit was examined: frames, faces, their quality, and the stretches that were not."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detector.faces.flaws import either
from detector.media.stream.packet_stats import MOST_FAILURES
from detector.schema.analysis import Coverage, Media, Span
from detector.schema.translatable import N_
from detector.scoring.first_pass.first_pass import FirstPassResult

NOT_DECODED = "no picture could be decoded here"
FROM_DAMAGED = "frames here rest on damaged or missing ones"
DAMAGED = frozenset({NOT_DECODED, FROM_DAMAGED})
"""Reasons of stretches in which nothing is known of what was recorded."""


def coverage_of(first_pass: FirstPassResult, media: Media, missing: float, rate: float) -> Coverage:
    """The coverage of a finished first pass; ``missing`` is how many seconds the file breaks off early.

    ``rate`` is that of sampling.
    """
    every, sampled = first_pass.detections.rows, first_pass.detections.sampled
    rows = sampled.rows
    usable = np.unique(rows["time"][rows["usable"]])
    flaws: dict[float, set[str]] = defaultdict(set)
    for time, flaw in rows[["time", "flaw"]][~np.isin(rows["time"], usable)].tolist():
        flaws[time].add(flaw)
    damaged = list(damaged_spans(media))
    spans: list[Span] = []
    if not media.still:
        spans = _without_usable_face(first_pass.times, usable, flaws, damaged, media.duration)
    spans += [*damaged, *gaps_of(media, first_pass.times, rate)]
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
        frames_between=len(np.unique(every["pts"][every["between"] & every["usable"]])),
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
    """Stretches between those of the sampled ``times`` at which a face could be judged, joined by reason.

    ``flaws`` are, by time, those of the faces at the others.
    """
    spans: list[Span] = []
    for i in np.flatnonzero(~np.isin(times, usable)).tolist():
        time = times[i]
        reason = "no face found"
        if time in flaws:
            reason = N_("faces %(flaws)s to judge") % {"flaws": either(sorted(flaws[time]))}
        end = times[i + 1] if i + 1 < len(times) else duration
        end = min([end, *(span.start for span in damaged if time < span.start)])
        if spans and spans[-1].reason == reason and spans[-1].end == time:
            spans[-1] = Span(start=spans[-1].start, end=end, reason=reason)
        else:
            spans.append(Span(start=time, end=max(end, time), reason=reason))
    return spans


def _behind_the_end(media: Media, missing: float) -> Iterator[Span]:
    """What follows the last frame that was decoded."""
    end = media.duration
    if media.lost_at_end:
        yield Span(start=end, end=end + media.lost_at_end, reason=NOT_DECODED)
        end += media.lost_at_end
    if missing:
        yield Span(start=end, end=end + missing, reason="the file breaks off here")


def damaged_spans(media: Media) -> Iterator[Span]:
    """Where frames rest on damaged or missing pictures."""
    timing = media.details.timing if media.details else None
    for stretch in timing.from_damaged if timing else ():
        yield Span(start=stretch.start, end=stretch.start + stretch.length, reason=FROM_DAMAGED)


def gaps_of(media: Media, times: Sequence[float], rate: float) -> Iterator[Span]:
    """Where the file is damaged and shows no frame for long: longer than usual, or than frames are apart.

    ``times`` are those of the frames sampled at ``rate``. A frame before a gap is one of them.
    """
    timing = media.details.timing if media.details else None
    if timing is None or not media.frames_undecodable:
        return
    usual = timing.median_interval or 0.0
    found = [(gap.start, gap.start + gap.length) for gap in timing.gaps]
    told = [*found, *((span.start, span.end) for span in damaged_spans(media))]
    # Only the longest gaps are named there, and the first failures: what follows these may be damaged.
    failed = [failure.time for failure in timing.failures if failure.time is not None]
    named = max(failed, default=0.0) if len(timing.failures) >= MOST_FAILURES else math.inf
    for start, end in pairwise(times):
        if end - start <= max(2, 1 + usual * rate) / rate or any(a < end and start < b for a, b in told):
            continue
        if end > named or any(start < time < end for time in failed):
            found.append((start, end))
    for start, end in found:
        yield Span(start=min(start + usual, end), end=end, reason=NOT_DECODED)
