"""What was found, as the published value: facts of the files, time map and gaps, transform, regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from detector.comparison import statements
from detector.comparison.alignment.refine import Refined
from detector.comparison.alignment.time_map import TimeMap
from detector.comparison.persons import ComparedTimes
from detector.comparison.regions import FoundRegion
from detector.comparison.strips import Floats, Strip
from detector.files import hashed
from detector.media.reader import MediaReader
from detector.schema.analysis import Box, MediaKind
from detector.schema.boxes import rounded
from detector.schema.comparison import ComparedFile, Interval, Region, TimePiece, Transform, UnmatchedInterval
from detector.schema.formatting import printable_name
from detector.schema.translatable import N_

_FRAMES = 2.5  # a shorter gap is none


def facts(reader: MediaReader, strip: Strip, name: str, path: Path) -> ComparedFile:
    """Facts of one file, once it was read to the end."""
    size, digest = hashed(path)
    rate = reader.frame_rate
    return ComparedFile(
        file=printable_name(name),
        bytes=size,
        sha256=digest,
        kind=reader.kind,
        width=strip.size[0],
        height=strip.size[1],
        duration=float(reader.duration),
        frame_rate=f"{rate.numerator}/{rate.denominator}" if rate else None,
    )


def time_pieces(seen: Strip, known: Strip, times: TimeMap) -> Iterator[TimePiece]:
    """The pieces of a time map, in seconds, as far as the reference has the times of their lines.

    A piece may go on beyond its first or last frame: where that is held, or by what its line is off.
    """
    for piece in times.pieces:
        here = seen.times[piece.first : piece.last + 1]
        there = piece.speed * here + piece.offset
        slack = min(piece.uncertainty, known.interval)  # half a frame, or one where the line may be off
        inside = (there >= known.times[0] - slack) & (there <= known.times[-1] + slack)
        if inside.any():
            here, there = here[inside], there[inside]
        there = there.clip(known.times[0], known.times[-1])
        yield TimePiece(
            exhibit=Interval(start=float(here[0]), end=float(here[-1])),
            reference=Interval(start=float(there[0]), end=float(there[-1])),
            speed=piece.speed,
            uncertainty=piece.uncertainty,
            frames=len(here),
            agreement=min(1.0, piece.similarity),  # as the published schema calls it
        )


def gaps(
    seen_file: ComparedFile, known_file: ComparedFile, seen: Strip, known: Strip, times: TimeMap
) -> Iterator[UnmatchedInterval]:
    """What one file has and the other does not, where it is more than a frame or two."""
    if seen_file.kind is MediaKind.IMAGE:
        return
    pieces = list(time_pieces(seen, known, times))
    # Frames that hold the reference's first or last one make no gap, though their times are none of its.
    firsts = [*(float(seen.times[one.first]) for one in times.pieces), seen_file.duration]
    lasts = [0.0, *(float(seen.times[one.last]) for one in times.pieces)]
    ends = [0.0, *(one.exhibit.end for one in pieces)]
    starts = [*(one.exhibit.start for one in pieces), seen_file.duration]
    for first, last, start, end in zip(firsts, lasts, ends, starts, strict=True):
        if first - last > _FRAMES * seen.interval:
            yield UnmatchedInterval(
                file="exhibit", start=start, end=end, reason=N_("shows nothing of the reference")
            )
    shown = sorted((one.reference.start, one.reference.end) for one in pieces)
    least = _FRAMES * max(seen.interval, known.interval)
    at = 0.0
    for start, end in [*shown, (known_file.duration, known_file.duration)]:
        if start - at > least:
            reason = N_("is left out of the exhibit")
            if at == 0.0:
                reason = N_("comes before what the exhibit shows")
            elif start == known_file.duration:
                reason = N_("comes after what the exhibit shows")
            yield UnmatchedInterval(file="reference", start=at, end=start, reason=reason)
        at = max(at, end)


def transform(refined: Refined, seen: tuple[int, int], known: tuple[int, int]) -> Transform:
    """The refined view in numbers; ``seen`` and ``known`` are the sizes of both files' frames."""
    view = refined.view
    matrix = view.matrix
    (a, b, c), (d, e, f) = matrix.tolist()
    back = cv2.invertAffineTransform(matrix)
    across, down = (float(np.linalg.norm(matrix[:, axis])) for axis in (0, 1))
    return Transform(
        matrix=((a, b, c), (d, e, f)),
        scale=view.scale,
        stretch=down / across,
        rotation=view.rotation,
        mirror=view.mirrored,
        crop=_shared(matrix, seen, known),
        shown=_within(_shared(back, known, seen), refined.shown),
        uncertainty=refined.error,
        agreement=min(1.0, refined.similarity),
    )


def _shared(matrix: Floats, size: tuple[int, int], there: tuple[int, int]) -> Box:
    """The part of a picture of size ``there`` that one of ``size``, taken by ``matrix``, covers."""
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix.T
    low = np.clip(corners.min(axis=0), 0, there)
    high = np.clip(corners.max(axis=0), 0, there)
    x0, y0, x1, y1 = (round(float(v), 2) for v in (*low, *high))
    return x0, y0, x1, y1


def _within(one: Box, other: Box) -> Box:
    x0, y0 = (max(one[axis], other[axis]) for axis in (0, 1))
    return x0, y0, max(x0, min(one[2], other[2])), max(y0, min(one[3], other[3]))


def region(pairs: Sequence[ComparedTimes], number: int, found: FoundRegion) -> Region:
    """One region; ``pairs`` are the times of all compared frames."""
    first, last, peak = (pairs[at] for at in (found.first, found.last, found.strongest))
    published = Region(
        id=f"R{number}",
        box=rounded(found.box),
        start=first.time,
        end=last.time,
        difference=found.level,
        frames=found.last - found.first + 1,
        peaks=(peak.as_peak(found.box),),
        statement="",
    )
    return published.model_copy(update={"statement": statements.of_region(published)})
