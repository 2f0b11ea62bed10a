"""Time map of a comparison, and pictures of exhibit, reference and difference side by side."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from detector.schema.analysis import MediaKind
from detector.schema.comparison import ComparedPeak, Comparison, TimePiece, UnmatchedInterval
from language.formatting import ratio, shown, time_span, timecode
from language.translation import UNTRANSLATED, gettext, text_of
from reports.inputs.pictures import PNG_SIGNATURE, ShownPicture, find_picture

_SAME_SPEED = 0.0015


@dataclass(frozen=True)
class PieceView:
    """A part of the exhibit and the part of the reference that it shows."""

    exhibit: str
    reference: str
    speed: str
    uncertainty: str


@dataclass(frozen=True)
class GapView:
    """A part of one file that the other does not show."""

    file: str
    time_span: str
    reason: str


@dataclass(frozen=True)
class Extent:
    """A part in the drawing of the time map, in percent of its file's length."""

    start: float
    end: float


@dataclass(frozen=True)
class MapPiece:
    """A part of the exhibit in the drawing, and the matching part of the reference."""

    exhibit: Extent
    reference: Extent
    words: str


@dataclass(frozen=True)
class MapSegment:
    """A difference in the bar of the exhibit."""

    id: str
    exhibit: Extent


@dataclass(frozen=True)
class TimeMapView:
    """The time map as a drawing: two bars, and bands between matching parts."""

    pieces: tuple[MapPiece, ...]
    flagged: tuple[MapSegment, ...]
    exhibit_end: str
    reference_end: str


def piece_view(piece: TimePiece) -> PieceView:
    """Return the table row of matching parts."""
    speed = gettext("the same") if abs(piece.speed - 1) < _SAME_SPEED else shown(piece.speed, ".3f")
    return PieceView(
        time_span(piece.exhibit.start, piece.exhibit.end),
        time_span(piece.reference.start, piece.reference.end),
        speed,
        f"± {shown(piece.uncertainty, '.3f')} s",
    )


def gap_view(gap: UnmatchedInterval) -> GapView:
    """Return the table row of a part that the other file does not show."""
    return GapView(gap.file, time_span(gap.start, gap.end), text_of(gap.cause, gap.reason))


def time_map_view(comparison: Comparison) -> TimeMapView | None:
    """Return the time map to draw, or None if one file has no duration."""
    exhibit_length, reference_length = comparison.exhibit.duration, comparison.reference.duration
    if not (comparison.related and exhibit_length > 0 and reference_length > 0):
        return None

    # A frame is shown until the next one.
    last = [_frame_interval(file.frame_rate) for file in (comparison.exhibit, comparison.reference)]

    def extent(start: float, end: float, whole: float) -> Extent:
        return Extent(*(round(100 * min(1.0, max(0.0, value / whole)), 3) for value in (start, end)))

    return TimeMapView(
        pieces=tuple(
            MapPiece(
                extent(piece.exhibit.start, piece.exhibit.end + last[0], exhibit_length),
                extent(piece.reference.start, piece.reference.end + last[1], reference_length),
                gettext(
                    "%(exhibit_start)s to %(exhibit_end)s shows %(reference_start)s to %(reference_end)s",
                    exhibit_start=timecode(piece.exhibit.start),
                    exhibit_end=timecode(piece.exhibit.end),
                    reference_start=timecode(piece.reference.start),
                    reference_end=timecode(piece.reference.end),
                ),
            )
            for piece in comparison.time_map
        ),
        flagged=tuple(
            MapSegment(segment.id, extent(segment.start, segment.end, exhibit_length))
            for segment in comparison.segments
        ),
        exhibit_end=timecode(exhibit_length),
        reference_end=timecode(reference_length),
    )


def _frame_interval(frame_rate: str | None) -> float:
    """Seconds from one frame to the next, 0 where the file does not say."""
    rate = ratio(frame_rate or "")
    return 1 / rate if rate and rate > 0 else 0.0


BETWEEN = 8  # px of white between the two halves of a picture side by side


@dataclass(frozen=True)
class Triple:
    """The same moment of exhibit and aligned reference, and their difference.

    Exhibit and reference are the halves of one stored picture, ``both``; each half is ``width`` by ``height``
    px.
    """

    about: str = field(metadata=UNTRANSLATED)
    title: str
    when: str
    time: float
    exhibit: ShownPicture
    reference: ShownPicture
    difference: ShownPicture
    overlay: ShownPicture
    width: int
    height: int

    @property
    def wide(self) -> int:
        """Width in px of the picture that holds both halves."""
        return 2 * self.width + BETWEEN

    @property
    def second(self) -> int:
        """Left edge of the reference in that picture."""
        return self.width + BETWEEN


def picture_triples(comparison: Comparison, folder: Path, below: str) -> Iterator[Triple]:
    """Return the triples, strongest first: one of each segment, then the others; regions after faces."""
    segments = sorted(comparison.segments, key=lambda region: (-region.confidence, -region.difference))
    regions = sorted(comparison.regions, key=lambda region: -region.difference)
    candidates: list[tuple[int, str, str, ComparedPeak]] = []
    for segment in segments:
        candidates += [
            (
                rank,
                segment.id,
                gettext("%(id)s, face of person %(person)s", id=segment.id, person=segment.person),
                peak,
            )
            for rank, peak in enumerate(segment.peaks)
        ]
    candidates.sort(key=lambda region: region[0])
    candidates += [
        (0, region.id, gettext("%(id)s, part of the picture", id=region.id), peak)
        for region in regions
        for peak in region.peaks
    ]
    if comparison.example is not None:
        candidates.append(
            (0, "example", gettext("The moment that comes closest to a difference"), comparison.example)
        )
    still = comparison.exhibit.kind is MediaKind.IMAGE
    for _rank, about, title, peak in candidates:
        if (triple := _triple(about, title, peak, still, folder, below)) is not None:
            yield triple


def _triple(
    about: str, title: str, peak: ComparedPeak, still: bool, folder: Path, below: str
) -> Triple | None:
    if peak.side_by_side is None:
        return None
    exhibit_time, reference_time = timecode(peak.time), timecode(peak.reference_time)
    both = find_picture(folder, below + peak.side_by_side, "")
    size = _size(folder / both.path) if both.path else None
    if size is None:
        return None
    width, share = (size[0] - BETWEEN) // 2, (size[0] - BETWEEN) / 2 / size[0]

    def half(left: float, words: str) -> ShownPicture:
        return find_picture(folder, both.path, words, part=(left, 0.0, share, 1.0))

    def whole(path: str | None, words: str) -> ShownPicture:
        return find_picture(folder, None if path is None else below + path, words)

    at = "" if still else gettext(" at %(here)s", here=exhibit_time)
    return Triple(
        about,
        title,
        ""
        if still and peak.reference_time == 0
        else gettext("%(here)s · reference %(there)s", here=exhibit_time, there=reference_time),
        peak.time,
        half(0.0, gettext("Exhibit%(at)s, %(title)s", at=at, title=title)),
        half(
            1 - share,
            gettext(
                "Reference%(at)s, aligned with the exhibit, %(title)s",
                at=("" if still else gettext(" at %(there)s", there=reference_time)),
                title=title,
            ),
        ),
        whole(peak.difference, gettext("Difference of both%(at)s, %(title)s", at=at, title=title)),
        whole(
            peak.overlay,
            gettext("Exhibit%(at)s with the difference overlaid, %(title)s", at=at, title=title),
        ),
        width,
        size[1],
    )


def _size(path: Path) -> tuple[int, int] | None:
    """Read width and height from the header of a PNG."""
    with path.open("rb") as file:
        head = file.read(24)
    if head[:8] != PNG_SIGNATURE or len(head) < 24:
        return None
    width, height = struct.unpack(">II", head[16:24])
    return (width, height) if width > 2 * BETWEEN and height else None
