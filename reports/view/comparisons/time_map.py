"""The time map of a comparison, as a table and as a drawing."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.comparison import Comparison, TimePiece, UnmatchedInterval
from reports.text.numbers import ratio, shown, time_span, timecode
from reports.text.translation.language import gettext

_SAME_SPEED = 0.0015


@dataclass(frozen=True)
class PieceView:
    """A stretch of the exhibit that shows a stretch of the reference."""

    exhibit: str
    reference: str
    speed: str
    uncertainty: str


@dataclass(frozen=True)
class GapView:
    """Time of one file that the other does not show."""

    file: str
    time_span: str
    reason: str


@dataclass(frozen=True)
class Extent:
    """Where a stretch lies in the drawing of the time map: percentages of its file's length from the left."""

    start: float
    end: float


@dataclass(frozen=True)
class MapPiece:
    """A stretch of the exhibit in the drawing, and the stretch of the reference that it shows."""

    exhibit: Extent
    reference: Extent
    words: str


@dataclass(frozen=True)
class MapSegment:
    """What differs, in the exhibit's bar."""

    id: str
    exhibit: Extent


@dataclass(frozen=True)
class TimeMapView:
    """The time map as a drawing: two bars, and bands between what belongs together."""

    pieces: tuple[MapPiece, ...]
    flagged: tuple[MapSegment, ...]
    exhibit_end: str
    reference_end: str


def piece_view(piece: TimePiece) -> PieceView:
    """A row of the table."""
    speed = gettext("the same") if abs(piece.speed - 1) < _SAME_SPEED else shown(piece.speed, ".3f")
    return PieceView(
        time_span(piece.exhibit.start, piece.exhibit.end),
        time_span(piece.reference.start, piece.reference.end),
        speed,
        f"± {shown(piece.uncertainty, '.3f')} s",
    )


def gap_view(gap: UnmatchedInterval) -> GapView:
    """Likewise, of what the other file does not show."""
    return GapView(gap.file, time_span(gap.start, gap.end), gap.reason)


def time_map_view(comparison: Comparison) -> TimeMapView | None:
    """The time map to draw; none where one side has no time."""
    here, there = comparison.exhibit.duration, comparison.reference.duration
    if not (comparison.related and here > 0 and there > 0):
        return None

    # A frame is shown until the next one.
    last = [_frame_interval(file.frame_rate) for file in (comparison.exhibit, comparison.reference)]

    def extent(start: float, end: float, whole: float) -> Extent:
        return Extent(*(round(100 * min(1.0, max(0.0, value / whole)), 3) for value in (start, end)))

    return TimeMapView(
        pieces=tuple(
            MapPiece(
                extent(piece.exhibit.start, piece.exhibit.end + last[0], here),
                extent(piece.reference.start, piece.reference.end + last[1], there),
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
            MapSegment(each.id, extent(each.start, each.end, here)) for each in comparison.segments
        ),
        exhibit_end=timecode(here),
        reference_end=timecode(there),
    )


def _frame_interval(frame_rate: str | None) -> float:
    """Seconds from one frame to the next, 0 where the file does not say."""
    rate = ratio(frame_rate or "")
    return 1 / rate if rate and rate > 0 else 0.0
