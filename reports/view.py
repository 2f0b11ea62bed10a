"""The view model: everything a template shows, already in words.

``report_view`` is the only place where an :class:`~detector.analysis.Analysis` is turned
into text. Web page, HTML and PDF read the same :class:`ReportView`, so they cannot
disagree. Templates hold no numbers' formatting and no judgement.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from detector.analysis import Analysis, MediaKind, Peak, Person, Segment, Verdict
from reports import facts, prose, words
from reports.annotations import Annotation
from reports.facts import Fact, ModelView, Setting
from reports.judged import Judgements, judged
from reports.pictures import Picture, find_picture, heat_scale
from reports.timeline import Timeline, draw
from reports.words import timecode

__all__ = ["Fact", "PeakView", "PersonView", "ReportView", "SegmentView", "report_view", "timecode"]


@dataclass(frozen=True)
class PersonView:
    """One row of the person table."""

    id: str
    name: str
    screen_time: str
    usable_frames: str
    figure: str
    strength: str
    position: str
    segments: tuple[str, ...]


@dataclass(frozen=True)
class PeakView:
    """One peak frame: its pictures and the check of its heatmap."""

    number: int
    time: str
    pts: str
    score: str
    heat: str
    position: str
    frame: Picture
    overlay: Picture
    map: Picture
    confirmed: bool
    effect: str
    check: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class SegmentView:
    """One flagged interval, or one flagged face of a still image."""

    id: str
    title: str
    person: str
    start: str
    end: str
    duration: str
    interval: str
    confidence: str
    strength: str
    frames: str
    peaks: tuple[PeakView, ...]


@dataclass(frozen=True)
class Gap:
    """A stretch of time that was not examined, and why."""

    start: str
    end: str
    duration: str
    reason: str


@dataclass(frozen=True)
class ReportView:
    """All a report or a result page shows of one analysis."""

    still: bool
    file: str
    file_short: str
    exhibit_sha256: str
    created: str
    created_iso: str
    reelproof: str
    verdict: str
    finding: str
    reason: str
    figure: str
    figure_name: str
    strength: words.Strength | None
    strengths: tuple[words.Strength, ...]
    exhibit: tuple[Fact, ...]
    recording: tuple[Fact, ...]
    timeline: Timeline
    persons: tuple[PersonView, ...]
    segments: tuple[SegmentView, ...]
    heat_scale: tuple[str, ...]
    procedure: str
    coverage: tuple[Fact, ...]
    settings: tuple[Setting, ...]
    method: tuple[Fact, ...]
    model: ModelView
    gaps: tuple[Gap, ...]
    not_examined: tuple[str, ...]
    means: tuple[str, ...]
    means_not: tuple[str, ...]
    glossary: tuple[tuple[str, str], ...]
    judgements: Judgements

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every picture a report shows, in reading order."""
        both = [picture for peak in self._peaks() for picture in (peak.frame, peak.overlay)]
        return tuple(picture for picture in both if picture.path)

    @property
    def kept(self) -> tuple[str, ...]:
        """Paths of all pictures that belong to the analysis."""
        every = [picture for peak in self._peaks() for picture in (peak.frame, peak.overlay, peak.map)]
        return tuple(picture.path for picture in every if picture.path)

    def _peaks(self) -> list[PeakView]:
        return [peak for segment in self.segments for peak in segment.peaks]


def report_view(analysis: Analysis, folder: Path, annotations: Iterable[Annotation] = ()) -> ReportView:
    """Put an analysis, and what reviewers say of it, into words.

    ``folder`` is where its ``analysis.json`` lies; pictures are looked up in it. Raises
    :class:`~reports.errors.PictureError` when the analysis names a picture outside it.
    """
    media = analysis.media
    created, created_iso = _created(analysis.software.created)
    figure, manipulated = analysis.probability, analysis.verdict is Verdict.MANIPULATED
    return ReportView(
        still=media.kind is MediaKind.IMAGE,
        file=words.file_name(media.file),
        file_short=words.shortened(words.file_name(media.file)),
        exhibit_sha256=media.sha256,
        created=created,
        created_iso=created_iso,
        reelproof=analysis.software.reelproof,
        verdict=analysis.verdict.value,
        finding=prose.finding(analysis),
        reason=analysis.reason,
        figure=words.probability(figure),
        figure_name=prose.figure_name(analysis),
        # Beside another verdict a phrase would contradict it.
        strength=words.strength(figure) if figure is not None and manipulated else None,
        strengths=words.STRENGTHS,
        exhibit=facts.exhibit(media),
        recording=facts.recording(media),
        timeline=draw(analysis),
        persons=tuple(_person(analysis, person) for person in analysis.persons),
        segments=tuple(_segment(analysis, segment, folder) for segment in analysis.segments),
        heat_scale=heat_scale(),
        procedure=prose.procedure(analysis),
        coverage=facts.coverage(analysis),
        settings=facts.settings(analysis.parameters),
        method=(
            Fact("Reelproof", analysis.software.reelproof),
            Fact("Torch", analysis.software.torch),
            Fact("Computed on", analysis.software.device),
            Fact("Analysis finished", created),
            Fact("Schema version", analysis.schema_version),
        ),
        model=facts.model(analysis.model),
        gaps=tuple(
            Gap(timecode(gap.start), timecode(gap.end), timecode(gap.end - gap.start), gap.reason)
            for gap in analysis.coverage.not_examined
        ),
        not_examined=prose.not_examined(analysis),
        means=prose.means(analysis.verdict),
        means_not=prose.means_not(analysis.verdict),
        glossary=prose.GLOSSARY,
        judgements=judged(analysis, annotations),
    )


def _created(text: str) -> tuple[str, str]:
    """The time of the analysis for reading and for metadata; unreadable text is shown as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text, ""
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC", f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _person(analysis: Analysis, person: Person) -> PersonView:
    flagged = tuple(segment.id for segment in analysis.segments if segment.person == person.id)
    if person.probability is None:
        strength = "not judged"
    else:
        strength = words.strength(person.probability).phrase if flagged else "not flagged"
    return PersonView(
        id=person.id,
        name=f"Person {person.id}",
        screen_time=timecode(person.screen_time),
        usable_frames=f"{person.usable_frames:,}",
        figure=words.probability(person.probability),
        strength=strength,
        position=words.box(person.median_box),
        segments=flagged,
    )


def _segment(analysis: Analysis, segment: Segment, folder: Path) -> SegmentView:
    still = analysis.media.kind is MediaKind.IMAGE
    start, end = timecode(segment.start), timecode(segment.end)
    return SegmentView(
        id=segment.id,
        title=f"Flagged face {segment.id}" if still else f"Segment {segment.id}",
        person=segment.person,
        start=start,
        end=end,
        duration=timecode(segment.end - segment.start),
        interval="still image" if still else f"{start} to {end}",
        confidence=words.probability(segment.confidence),
        strength=words.strength(segment.confidence).phrase,
        frames=f"{segment.frames:,}",
        peaks=tuple(_peak(segment, peak, index, folder) for index, peak in enumerate(segment.peaks, 1)),
    )


def _peak(segment: Segment, peak: Peak, index: int, folder: Path) -> PeakView:
    check = peak.check
    what = f"peak {index} of {segment.id} at {timecode(peak.time)}, person {segment.person}"
    return PeakView(
        number=index,
        time=timecode(peak.time),
        pts=str(peak.pts),
        score=words.probability(peak.probability),
        heat=f"{peak.heat:.2f}",
        position=words.box(peak.box),
        frame=find_picture(folder, peak.frame, f"Frame, {what}"),
        overlay=find_picture(folder, peak.overlay, f"Frame with heatmap, {what}"),
        map=find_picture(folder, peak.map, f"Heatmap alone, {what}"),
        confirmed=words.is_confirmed(check),
        effect=words.hide_and_rescore(check),
        check=(
            ("Nothing", words.probability(check.probability), "–"),
            (
                f"Hottest {check.area:.0%}",
                words.probability(check.hidden_highlight),
                words.signed(-check.drop_highlight),
            ),
            (
                f"Random {check.area:.0%}",
                words.probability(check.hidden_random),
                words.signed(-check.drop_random),
            ),
        ),
    )
