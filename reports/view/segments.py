"""What a report shows of one finding: a flagged segment or face, its bounds, figures and peak frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from detector.schema.analysis import Analysis, Media, MediaKind, Peak, Segment
from reports.inputs.pictures import Picture, find_picture
from reports.text import numbers
from reports.text.numbers import timecode
from reports.text.uncertainty import Interval, segment_interval
from reports.view import summary
from reports.view.facts import Fact

_ROOM = 2.0  # side of what a report shows of a photo around a face, in sizes of the face


@dataclass(frozen=True)
class PeakView:
    """One peak frame: its pictures and the check of its heatmap."""

    number: int
    time: str
    pts: str
    frame_index: str
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
class Bound:
    """The first or last frame of a segment; what was not recorded is a dash."""

    name: str
    time: str
    frame_index: str
    pts: str


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
    between: str
    frames: str
    bounds: tuple[Bound, ...]
    figures: tuple[Fact, ...]
    meaning: str
    peaks: tuple[PeakView, ...]


def segment_view(analysis: Analysis, segment: Segment, folder: Path) -> SegmentView:
    """Put one finding into words; ``folder`` holds its pictures."""
    still = analysis.media.kind is MediaKind.IMAGE
    start, end = timecode(segment.start), timecode(segment.end)
    doubt = segment_interval(analysis, segment)
    return SegmentView(
        id=segment.id,
        title=f"Flagged face {segment.id}" if still else f"Segment {segment.id}",
        person=segment.person,
        start=start,
        end=end,
        duration=timecode(segment.end - segment.start),
        interval="photograph" if still else f"{start} to {end}",
        confidence=numbers.probability(segment.confidence),
        strength=numbers.strength(segment.confidence).phrase,
        between=_ends(doubt) if doubt else "not known",
        frames=f"{segment.frames:,}",
        bounds=() if still else _bounds(analysis, segment),
        figures=_figures(analysis, segment, doubt),
        meaning=summary.segment_meaning(analysis, segment),
        peaks=tuple(
            _peak(segment, peak, index, analysis.media, folder) for index, peak in enumerate(segment.peaks, 1)
        ),
    )


def _bounds(analysis: Analysis, segment: Segment) -> tuple[Bound, ...]:
    """Where a segment starts and ends, three ways."""
    stamps = {
        time: str(pts)
        for person in analysis.persons
        if person.id == segment.person
        for time, pts in zip(person.scores.time.tolist(), person.scores.pts.tolist(), strict=True)
    }
    return tuple(
        Bound(name, timecode(time), _index(index), stamps.get(time, "–"))
        for name, time, index in (
            ("Start", segment.start, segment.start_frame),
            ("End", segment.end, segment.end_frame),
        )
    )


def _index(index: int | None) -> str:
    return "–" if index is None else f"{index:,}"


def _figures(analysis: Analysis, segment: Segment, interval: Interval | None) -> tuple[Fact, ...]:
    """How high, how sure and of how many frames."""
    still = analysis.media.kind is MediaKind.IMAGE
    found = [
        Fact("In words", numbers.strength(segment.confidence).phrase),
        Fact("Probability" if still else "Mean probability", numbers.probability(segment.confidence)),
    ]
    if interval is not None:
        found.append(Fact("Interval", _ends(interval), _made_from(interval)))
    if not still:
        if segment.peaks:
            highest = max(peak.probability for peak in segment.peaks)
            found.append(Fact("Peak probability", numbers.probability(highest), "highest frame pictured"))
        found.append(Fact("Frames scored", f"{segment.frames:,}"))
        found.append(Fact("Duration", timecode(segment.end - segment.start)))
        if (offset := numbers.player_offset(analysis.media)) is not None:
            shown = f"{timecode(segment.start + offset)} to {timecode(segment.end + offset)}"
            found.append(Fact("On a player's clock", shown))
    return tuple(found)


def _ends(interval: Interval) -> str:
    return f"{numbers.probability(interval.low)} to {numbers.probability(interval.high)}"


def _made_from(interval: Interval) -> str:
    made = []
    if interval.effective is not None and interval.frames is not None:
        made.append(f"{interval.frames:,} sampled moments worth {interval.effective:.0f} independent ones")
    if interval.calibration is not None:
        made.append(f"calibration error {numbers.number(round(interval.calibration, 3))}")
    return "; ".join(made)


def _around(peak: Peak, media: Media) -> tuple[float, float, float, float]:
    """The part of a photo around a face, as shares of its size: left, top, width, height."""
    x0, y0, x1, y1 = peak.box
    half = _ROOM * max(x1 - x0, y1 - y0) / 2
    left, right = (min(max((x0 + x1) / 2 + side, 0.0), media.width) for side in (-half, half))
    top, bottom = (min(max((y0 + y1) / 2 + side, 0.0), media.height) for side in (-half, half))
    return left / media.width, top / media.height, (right - left) / media.width, (bottom - top) / media.height


def _peak(segment: Segment, peak: Peak, index: int, media: Media, folder: Path) -> PeakView:
    check, part = peak.check, None
    what = f"peak {index} of {segment.id} at {timecode(peak.time)}, person {segment.person}"
    if media.kind is MediaKind.IMAGE:
        what, part = f"face {segment.id}, person {segment.person}", _around(peak, media)
    return PeakView(
        number=index,
        time=timecode(peak.time),
        pts=str(peak.pts),
        frame_index=_index(peak.frame_index),
        score=numbers.probability(peak.probability),
        heat=f"{peak.heat:.2f}",
        position=numbers.box(peak.box),
        frame=find_picture(folder, peak.frame, f"Frame, {what}", part),
        overlay=find_picture(folder, peak.overlay, f"Frame with heatmap, {what}", part),
        map=find_picture(folder, peak.map, f"Heatmap alone, {what}", part),
        confirmed=numbers.is_confirmed(check),
        effect=numbers.hide_and_rescore(check),
        check=(
            ("Nothing", numbers.probability(check.probability), "–"),
            (
                f"Hottest {check.area:.0%}",
                numbers.probability(check.hidden_highlight),
                numbers.signed(-check.drop_highlight),
            ),
            (
                f"Random {check.area:.0%}, mean of {check.areas}",
                numbers.probability(check.hidden_random),
                numbers.signed(-check.drop_random),
            ),
        ),
    )
