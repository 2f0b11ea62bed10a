"""The section on a comparison: both files, what the reference shows, and the differences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from detector.schema.analysis import MediaKind
from detector.schema.comparison import ComparedFile, ComparedSegment, Comparison, Outcome, Region, Transform
from language import formatting
from language.formatting import probability, shown, timecode
from language.translation import UNTRANSLATED, Quoted, cause_text, english_note, gettext, text_of, texts_of
from reports.comparison.differences import (
    GapView,
    PieceView,
    TimeMapView,
    Triple,
    gap_view,
    picture_triples,
    piece_view,
    time_map_view,
)
from reports.inputs.pictures import ShownPicture
from reports.wording.sections import Fact


def file_facts(file: ComparedFile) -> Iterator[Fact]:
    """Describe one of the two files."""
    yield Fact(gettext("File"), Quoted(formatting.file_name(file.file)))
    yield Fact("SHA-256", file.sha256, exact=True)
    yield Fact(gettext("Size"), formatting.size(file.bytes))
    yield Fact(gettext("Picture"), f"{file.width} × {file.height} px")
    if file.kind is MediaKind.VIDEO:
        yield Fact(gettext("Length"), timecode(file.duration))
        yield Fact(gettext("Frame rate"), formatting.average_rate(file.frame_rate))


def transform_facts(comparison: Comparison, transform: Transform) -> Iterator[Fact]:
    """List scale, stretch, mirroring, rotation, crop and bars of the exhibit, with their uncertainty."""
    if abs(transform.scale - 1) < 0.005:
        yield Fact(gettext("Scale"), gettext("the same size"))
    else:
        note = gettext("exhibit pixels per reference pixel")
        yield Fact(gettext("Scale"), shown(transform.scale, ".3f"), note)
    if abs(transform.stretch - 1) >= 0.005:
        yield Fact(gettext("Stretch"), shown(transform.stretch, ".3f"), gettext("width relative to height"))
    mirrored = gettext("yes, left and right are swapped") if transform.mirror else gettext("no")
    yield Fact(gettext("Mirrored"), mirrored)
    rotation = gettext("none")
    if abs(transform.rotation) >= 0.05:
        rotation = gettext("%(rotation)s° clockwise", rotation=shown(transform.rotation, ".1f"))
    yield Fact(gettext("Rotation"), rotation)
    reference = comparison.reference
    x0, y0, x1, y1 = transform.crop
    share = (x1 - x0) * (y1 - y0) / (reference.width * reference.height)
    # Edges within one pixel of either file, or within the uncertainty of the transform, are not cropped.
    room = max(1.0, transform.uncertainty) * max(1.0, 1 / transform.scale)
    crop, note = gettext("the whole picture"), ""
    if max(x0, y0, reference.width - x1, reference.height - y1) > room:
        text = shown(min(share, 0.999), ".0%" if share < 0.995 else ".1%")
        crop, note = gettext("%(share)s of its picture", share=text), formatting.box(transform.crop)
    yield Fact(gettext("Part of the reference shown"), crop, note)
    left, top, right, bottom = transform.shown
    bars = 1 - (right - left) * (bottom - top) / (comparison.exhibit.width * comparison.exhibit.height)
    if bars > 0.005:
        text = gettext("%(bars)s of the exhibit's picture", bars=shown(bars, ".0%"))
        yield Fact(gettext("Bars or captions added"), text)
    off = f"± {shown(transform.uncertainty, '.1f')} px"
    if transform.uncertainty < 0.1:
        off = gettext("less than 0.1 px")
    yield Fact(gettext("Uncertainty"), off, gettext("at the corners of the exhibit's picture"))


SHOWN_IN_REPORT = 3  # picture triples


@dataclass(frozen=True)
class DifferenceView:
    """A segment of a person, or a region other than faces, that differs; times in words and in seconds."""

    id: str
    who: str
    start: str
    end: str
    start_seconds: float
    reference: str
    confidence: str  # of a segment
    difference: str
    surroundings: str  # of a segment


@dataclass(frozen=True)
class ComparisonView:
    """One comparison with a reference."""

    title: str
    still: bool  # no time on the exhibit's side
    reference_still: bool
    related: bool
    differs: bool
    outcome: Outcome
    faces_compared: bool
    statement: str
    limits: str
    exhibit_file: str = field(metadata=UNTRANSLATED)
    reference_file: str = field(metadata=UNTRANSLATED)
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
    sha256: str = field(metadata=UNTRANSLATED)  # of comparison.json
    # Path of comparison.json, from the folder that holds the report's pictures
    path: str = field(metadata=UNTRANSLATED)

    @property
    def shown(self) -> tuple[Triple, ...]:
        """Return the triples that a report prints."""
        return self.triples[:SHOWN_IN_REPORT]

    @property
    def pictures(self) -> tuple[ShownPicture, ...]:
        """Return the pictures of a report in reading order."""
        pictures = [
            picture
            for triple in self.shown
            for picture in (triple.exhibit, triple.reference, triple.difference)
        ]
        return tuple(picture for picture in pictures if picture.path)


def comparison_view(
    comparison: Comparison, folder: Path, sha256: str = "", below: str = ""
) -> ComparisonView:
    """Describe a comparison.

    ``folder`` holds the pictures of the report; ``below`` is the path in it to ``comparison.json`` and its
    pictures. Raise :class:`~reports.errors.PictureError` for a picture outside of it.
    """
    still = comparison.exhibit.kind is MediaKind.IMAGE
    return ComparisonView(
        title=_title(comparison),
        still=still,
        reference_still=comparison.reference.kind is MediaKind.IMAGE,
        related=comparison.related,
        differs=bool(comparison.segments),
        outcome=comparison.outcome,
        faces_compared=bool(comparison.persons),
        statement=Quoted(
            " ".join(map(cause_text, comparison.causes))
            or f"{comparison.statement} {english_note()}".rstrip()
        ),
        limits=text_of(comparison.limits_cause, comparison.limits),
        exhibit_file=formatting.file_name(comparison.exhibit.file),
        reference_file=formatting.file_name(comparison.reference.file),
        reference_sha256=comparison.reference.sha256,
        exhibit=tuple(file_facts(comparison.exhibit)),
        reference=tuple(file_facts(comparison.reference)),
        transform=tuple(transform_facts(comparison, comparison.transform)) if comparison.transform else (),
        pieces=() if still else tuple(piece_view(piece) for piece in comparison.time_map),
        gaps=tuple(gap_view(gap) for gap in comparison.gaps),
        segments=tuple(_segment(part, still) for part in comparison.segments),
        regions=tuple(_region(part, still) for part in comparison.regions),
        triples=tuple(picture_triples(comparison, folder, below)),
        drawing=time_map_view(comparison),
        not_compared=texts_of(comparison.not_compared_causes, comparison.not_compared),
        sha256=sha256,
        path=f"{below}comparison.json",
    )


def _title(comparison: Comparison) -> str:
    if not comparison.related:
        return gettext("Unrelated")
    if people := len({segment.person for segment in comparison.segments}):
        faces_differ = gettext("%(people)s faces differ", people=people)
        if people == 1:
            faces_differ = gettext("One face differs")
        return gettext("%(faces_differ)s from the reference", faces_differ=faces_differ)
    if comparison.regions and comparison.persons:
        title = gettext("Parts of the picture differ, but no face does")
    elif comparison.regions:
        title = gettext("Parts of the picture differ; no face could be compared")
    elif not comparison.persons:
        title = gettext("No face could be compared")
    elif comparison.shows_more:
        title = gettext("The rest shows no difference beyond the effects of re-encoding")
    else:
        return gettext("No difference beyond the effects of re-encoding")
    if not comparison.shows_more:
        return title
    return gettext("Part of the exhibit was not found in the reference") + f". {title}"


def _times(difference: float) -> str:
    """Return the logarithm of a ratio of squares as a ratio of levels, as the engine's sentences state it."""
    return gettext("%(factor)s times", factor=shown(math.exp(difference / 2), ".1f"))


def _segment(segment: ComparedSegment, still: bool) -> DifferenceView:
    return DifferenceView(
        id=segment.id,
        who=gettext("Person %(person)s", person=segment.person),
        start="" if still else timecode(segment.start),
        end="" if still else timecode(segment.end),
        start_seconds=segment.start,
        reference=timecode(segment.reference_start),
        confidence=probability(segment.confidence),
        difference=_times(segment.difference),
        surroundings=_times(segment.surroundings),
    )


def _region(region: Region, still: bool) -> DifferenceView:
    return DifferenceView(
        id=region.id,
        who=formatting.box(region.box),
        start="" if still else timecode(region.start),
        end="" if still else timecode(region.end),
        start_seconds=region.start,
        reference="",
        confidence="",
        difference=_times(region.difference),
        surroundings="",
    )
