"""A comparison with a reference in words: both files, what is shown of the reference, what differs.

The page of a comparison, the report and the bundle show what is here. The sentences themselves are the
engine's (:mod:`detector.comparison.statements`), as they stand in ``comparison.json``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

from detector.schema.analysis import MediaKind
from detector.schema.comparison import (
    ComparedFile,
    ComparedPeak,
    ComparedSegment,
    Comparison,
    Gap,
    Region,
    TimePiece,
    Transform,
)
from reports.inputs.pictures import PNG_SIGNATURE, Picture, find_picture
from reports.text import numbers
from reports.text.language import gettext, spoken
from reports.text.numbers import probability, shown, timecode
from reports.view.facts import Fact

BETWEEN = 8  # px of white between the two halves of a picture side by side
SHOWN_IN_REPORT = 3  # picture triples
_SAME_SPEED = 0.0015
# Fields whose texts are names and keys.
_NOT_OURS = frozenset(
    {
        *(f"ComparisonView.{name}" for name in ("exhibit_file", "reference_file", "sha256", "path")),
        *(f"Picture.{name}" for name in ("key", "path")),
        "Triple.about",
    }
)


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
    interval: str
    reason: str


@dataclass(frozen=True)
class DifferenceView:
    """A segment of a person, or a region beside the faces, that differs; times in words and in seconds."""

    id: str
    who: str
    start: str
    end: str
    start_seconds: float
    end_seconds: float
    reference: str
    confidence: str  # of a segment
    difference: str
    surroundings: str  # of a segment
    statement: str


@dataclass(frozen=True)
class Triple:
    """The same moment in both files and what differs: exhibit, reference as the exhibit shows it, difference.

    The first two are halves of one kept picture, ``both``, of ``wide`` px; each is ``width`` by ``height``.
    """

    about: str
    title: str
    when: str
    time: float
    exhibit: Picture
    reference: Picture
    difference: Picture
    overlay: Picture
    width: int
    height: int

    @property
    def wide(self) -> int:
        """Width in px of the picture that holds both sides."""
        return 2 * self.width + BETWEEN

    @property
    def second(self) -> int:
        """Where the reference begins in it."""
        return self.width + BETWEEN


@dataclass(frozen=True)
class MapPiece:
    """A stretch in the drawing of the time map: percentages of each file's length from the left."""

    exhibit: tuple[float, float]
    reference: tuple[float, float]
    words: str


@dataclass(frozen=True)
class TimeMapView:
    """The time map as a drawing: two bars, and bands between what belongs together."""

    pieces: tuple[MapPiece, ...]
    flagged: tuple[tuple[float, float, str], ...]  # of the exhibit's bar: from, to, segment
    exhibit_end: str
    reference_end: str


@dataclass(frozen=True)
class ComparisonView:
    """All that is shown of one comparison."""

    title: str
    still: bool  # no time on the exhibit's side
    reference_still: bool
    related: bool
    differs: bool
    statement: str
    limits: str
    exhibit_file: str
    reference_file: str
    reference_sha256: str
    exhibit: tuple[Fact, ...]
    reference: tuple[Fact, ...]
    transform: tuple[Fact, ...]
    pieces: tuple[PieceView, ...]
    gaps: tuple[GapView, ...]
    segments: tuple[DifferenceView, ...]
    regions: tuple[DifferenceView, ...]
    triples: tuple[Triple, ...]
    drawing: TimeMapView | None
    not_compared: tuple[str, ...]
    created: str
    reelproof: str
    sha256: str  # of comparison.json
    path: str  # of comparison.json, from the folder that holds the report's pictures

    @property
    def shown(self) -> tuple[Triple, ...]:
        """Those triples that a report prints."""
        return self.triples[:SHOWN_IN_REPORT]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every picture a report shows, in reading order."""
        every = [
            picture for each in self.shown for picture in (each.exhibit, each.reference, each.difference)
        ]
        return tuple(picture for picture in every if picture.path)


def comparison_view(
    comparison: Comparison, folder: Path, sha256: str = "", below: str = ""
) -> ComparisonView:
    """Put a comparison into words.

    ``folder`` is where the report's pictures lie, and ``below`` where, in it, ``comparison.json`` and its
    own pictures do. Raises :class:`~reports.errors.PictureError` for one outside of it.
    """
    return cast(ComparisonView, spoken(_view(comparison, folder, sha256, below), _NOT_OURS))


def _view(comparison: Comparison, folder: Path, sha256: str, below: str) -> ComparisonView:
    still = comparison.exhibit.kind is MediaKind.IMAGE
    return ComparisonView(
        title=_title(comparison),
        still=still,
        reference_still=comparison.reference.kind is MediaKind.IMAGE,
        related=comparison.related,
        differs=bool(comparison.segments),
        statement=comparison.statement,
        limits=comparison.limits,
        exhibit_file=numbers.file_name(comparison.exhibit.file),
        reference_file=numbers.file_name(comparison.reference.file),
        reference_sha256=comparison.reference.sha256,
        exhibit=tuple(_file(comparison.exhibit)),
        reference=tuple(_file(comparison.reference)),
        transform=tuple(_transform(comparison, comparison.transform)) if comparison.transform else (),
        pieces=() if still else tuple(_piece(piece) for piece in comparison.time_map),
        gaps=tuple(_gap(gap) for gap in comparison.gaps),
        segments=tuple(_segment(each, still) for each in comparison.segments),
        regions=tuple(_region(each, still) for each in comparison.regions),
        triples=tuple(_triples(comparison, folder, below)),
        drawing=_drawing(comparison),
        not_compared=comparison.not_compared,
        created=comparison.created,
        reelproof=comparison.reelproof,
        sha256=sha256,
        path=f"{below}comparison.json",
    )


def _title(comparison: Comparison) -> str:
    if not comparison.related:
        return gettext("Unrelated")
    people = len({segment.person for segment in comparison.segments})
    if people:
        return gettext(
            "%(faces_differ)s from the reference",
            faces_differ=(
                gettext("One face differs")
                if people == 1
                else gettext("%(people)s faces differ", people=people)
            ),
        )
    if comparison.regions:
        return gettext("Parts of the picture differ, no face does")
    return gettext("No difference that re-encoding would not explain")


def _file(file: ComparedFile) -> Iterator[Fact]:
    yield Fact(gettext("File"), numbers.file_name(file.file))
    yield Fact("SHA-256", file.sha256, exact=True)
    yield Fact(gettext("Size"), numbers.size(file.bytes))
    yield Fact(gettext("Picture"), f"{file.width} × {file.height} px")
    if file.kind is MediaKind.VIDEO:
        yield Fact(gettext("Length"), timecode(file.duration))
        yield Fact(gettext("Frame rate"), numbers.average_rate(file.frame_rate))


def _transform(comparison: Comparison, found: Transform) -> Iterator[Fact]:
    yield Fact(
        gettext("Scale"),
        gettext("the same size") if abs(found.scale - 1) < 0.005 else shown(found.scale, ".3f"),
        "" if abs(found.scale - 1) < 0.005 else gettext("pixels of the exhibit to one of the reference"),
    )
    if abs(found.stretch - 1) >= 0.005:
        yield Fact(gettext("Stretch"), shown(found.stretch, ".3f"), gettext("width against height"))
    yield Fact(
        gettext("Mirrored"), gettext("yes, left and right are exchanged") if found.mirror else gettext("no")
    )
    yield Fact(
        gettext("Rotation"),
        gettext("none")
        if abs(found.rotation) < 0.05
        else gettext("%(rotation)s° clockwise", rotation=shown(found.rotation, ".1f")),
    )
    reference = comparison.reference
    x0, y0, x1, y1 = found.crop
    share = (x1 - x0) * (y1 - y0) / (reference.width * reference.height)
    # Nothing is cut off where the edges are a pixel of either file off, or no further than the view is.
    room = max(1.0, found.uncertainty) * max(1.0, 1 / found.scale)
    whole = max(x0, y0, reference.width - x1, reference.height - y1) <= room
    crop = (
        gettext("the whole picture")
        if whole
        else gettext("%(share)s of its picture", share=shown(share, ".0%"))
    )
    yield Fact(gettext("Part of the reference shown"), crop, "" if whole else numbers.box(found.crop))
    left, top, right, bottom = found.shown
    bars = 1 - (right - left) * (bottom - top) / (comparison.exhibit.width * comparison.exhibit.height)
    if bars > 0.005:
        yield Fact(
            gettext("Bars or captions added"),
            gettext("%(bars)s of the exhibit's picture", bars=shown(bars, ".0%")),
        )
    off = (
        gettext("less than 0.1 px") if found.uncertainty < 0.1 else f"± {shown(found.uncertainty, '.1f')} px"
    )
    yield Fact(gettext("Uncertainty"), off, gettext("at the corners of the exhibit's picture"))


def _piece(piece: TimePiece) -> PieceView:
    speed = gettext("the same") if abs(piece.speed - 1) < _SAME_SPEED else shown(piece.speed, ".3f")
    return PieceView(
        gettext("%(start)s to %(end)s", start=timecode(piece.exhibit.start), end=timecode(piece.exhibit.end)),
        gettext(
            "%(start)s to %(end)s", start=timecode(piece.reference.start), end=timecode(piece.reference.end)
        ),
        speed,
        f"± {shown(piece.uncertainty, '.3f')} s",
    )


def _gap(gap: Gap) -> GapView:
    return GapView(
        gap.file,
        gettext("%(start)s to %(end)s", start=timecode(gap.start), end=timecode(gap.end)),
        gap.reason,
    )


def _times(difference: float) -> str:
    """The log of a ratio of squares as a ratio of levels, as the engine's sentences give it."""
    return gettext("%(factor)s times", factor=shown(math.exp(difference / 2), ".1f"))


def _segment(segment: ComparedSegment, still: bool) -> DifferenceView:
    return DifferenceView(
        segment.id,
        gettext("Person %(person)s", person=segment.person),
        "" if still else timecode(segment.start),
        "" if still else timecode(segment.end),
        segment.start,
        segment.end,
        timecode(segment.reference_start),
        probability(segment.confidence),
        _times(segment.difference),
        _times(segment.surroundings),
        segment.statement,
    )


def _region(region: Region, still: bool) -> DifferenceView:
    return DifferenceView(
        region.id,
        numbers.box(region.box),
        "" if still else timecode(region.start),
        "" if still else timecode(region.end),
        region.start,
        region.end,
        "",
        "",
        _times(region.difference),
        "",
        region.statement,
    )


def _triples(comparison: Comparison, folder: Path, below: str) -> Iterator[Triple]:
    """The strongest first: of each segment one moment, then its others; regions after the faces."""
    segments = sorted(comparison.segments, key=lambda each: (-each.confidence, -each.difference))
    regions = sorted(comparison.regions, key=lambda each: -each.difference)
    found: list[tuple[int, str, str, ComparedPeak]] = []
    for segment in segments:
        found += [
            (
                rank,
                segment.id,
                gettext("%(id)s, face of person %(person)s", id=segment.id, person=segment.person),
                peak,
            )
            for rank, peak in enumerate(segment.peaks)
        ]
    found.sort(key=lambda each: each[0])
    found += [
        (0, each.id, gettext("%(id)s, part of the picture", id=each.id), peak)
        for each in regions
        for peak in each.peaks
    ]
    if comparison.example is not None:
        found.append(
            (0, "example", gettext("The moment that comes closest to a difference"), comparison.example)
        )
    still = comparison.exhibit.kind is MediaKind.IMAGE
    for _rank, about, title, peak in found:
        if (triple := _triple(about, title, peak, still, folder, below)) is not None:
            yield triple


def _triple(
    about: str, title: str, peak: ComparedPeak, still: bool, folder: Path, below: str
) -> Triple | None:
    if peak.side_by_side is None:
        return None
    here, there = timecode(peak.time), timecode(peak.reference_time)
    both = find_picture(folder, below + peak.side_by_side, "")
    size = _size(folder / both.path) if both.path else None
    if size is None:
        return None
    width, share = (size[0] - BETWEEN) // 2, (size[0] - BETWEEN) / 2 / size[0]

    def half(left: float, words: str) -> Picture:
        return find_picture(folder, both.path, words, (left, 0.0, share, 1.0))

    def whole(path: str | None, words: str) -> Picture:
        return find_picture(folder, None if path is None else below + path, words)

    at = "" if still else gettext(" at %(here)s", here=here)
    return Triple(
        about,
        title,
        ("" if still else here)
        if peak.reference_time == 0 and still
        else gettext("%(here)s · reference %(there)s", here=here, there=there),
        peak.time,
        half(0.0, gettext("Exhibit%(at)s, %(title)s", at=at, title=title)),
        half(
            1 - share,
            gettext(
                "Reference%(at)s, as the exhibit shows it, %(title)s",
                at=("" if still else gettext(" at %(there)s", there=there)),
                title=title,
            ),
        ),
        whole(peak.difference, gettext("Difference of both%(at)s, %(title)s", at=at, title=title)),
        whole(
            peak.overlay,
            gettext("Exhibit%(at)s with the difference laid over it, %(title)s", at=at, title=title),
        ),
        width,
        size[1],
    )


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height of a PNG, of its header alone."""
    with path.open("rb") as file:
        head = file.read(24)
    if head[:8] != PNG_SIGNATURE or len(head) < 24:
        return None
    width, height = struct.unpack(">II", head[16:24])
    return (width, height) if width > 2 * BETWEEN and height else None


def _drawing(comparison: Comparison) -> TimeMapView | None:
    """The time map to draw; none where one side has no time."""
    here, there = comparison.exhibit.duration, comparison.reference.duration
    if not (comparison.related and here > 0 and there > 0):
        return None

    # A frame is shown until the next one.
    last = [_interval(file.frame_rate) for file in (comparison.exhibit, comparison.reference)]

    def share(value: float, whole: float) -> float:
        return round(100 * min(1.0, max(0.0, value / whole)), 3)

    return TimeMapView(
        pieces=tuple(
            MapPiece(
                (share(piece.exhibit.start, here), share(piece.exhibit.end + last[0], here)),
                (share(piece.reference.start, there), share(piece.reference.end + last[1], there)),
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
            (share(each.start, here), share(each.end, here), each.id) for each in comparison.segments
        ),
        exhibit_end=timecode(here),
        reference_end=timecode(there),
    )


def _interval(frame_rate: str | None) -> float:
    """Seconds from one frame to the next, 0 where the file does not say."""
    rate = Fraction(frame_rate or 0)
    return float(1 / rate) if rate > 0 else 0.0
