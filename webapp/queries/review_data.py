"""What the review page works with: one analysis as JSON, its words from the report's view.

Scores go as one list a person and a field, which is a quarter of the size of a list of
objects; those of a long analysis in two levels (:mod:`webapp.queries.levels`). Times are seconds
from the first frame to a ten-thousandth, boxes whole pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detector.schema.analysis import Analysis, MediaKind, Peak, Person, Segment
from reports.text import numbers
from webapp.queries import levels
from webapp.queries.results import close_up

if TYPE_CHECKING:
    from reports.inputs.pictures import Picture
    from reports.view.report import PeakView, ReportView, SegmentView
    from webapp.media.playback import Playback

VERSION = "1.0"


def document(
    analysis: Analysis,
    view: ReportView,
    *,
    analysis_id: str,
    sha256: str,
    playback: Playback | None,
    media: str | None,
    pictures: str,
    scores: str | None = None,
) -> dict[str, Any]:
    """The page's data.

    ``sha256`` is that of the stored ``analysis.json``; ``media`` where the page finds what
    plays, ``pictures`` what comes before a picture's own path: an address of the app or,
    in a bundle, nothing. ``scores`` is where it finds stretches of a long analysis, of which
    it then gets only an outline; without, it gets all.
    """
    length = levels.stretch_length(analysis) if scores is not None else None
    given = analysis.parameters
    plays = playback is not None and playback.source != "none"
    shown = {segment.id: segment for segment in view.segments}
    return {
        "review": VERSION,
        "analysis": {"id": analysis_id, "sha256": sha256, "exhibit_sha256": analysis.media.sha256},
        "media": {
            "kind": analysis.media.kind.value,
            "file": view.file,
            "width": analysis.media.width,
            "height": analysis.media.height,
            "duration": round(analysis.media.duration, 4),
            "source": media if plays else None,
            "offset": playback.offset if plays and playback else 0.0,
            "reason": playback.reason if playback else "",
        },
        "rules": {
            "enter": given.enter_threshold,
            "exit": given.exit_threshold,
            "median_window": given.median_window,
            "merge_gap": given.merge_gap,
            "minimum_duration": given.minimum_duration,
            "bridge_gap": given.bridge_gap,
            "sample_rate": given.sample_rate,
        },
        "cuts": [round(cut, 4) for cut in analysis.coverage.cuts],
        "gaps": [
            {"start": round(gap.start, 4), "end": round(gap.end, 4), "reason": gap.reason}
            for gap in analysis.coverage.not_examined
        ],
        "outline": None
        if length is None
        else {"bucket": analysis.media.duration / levels.BUCKETS, "stretch": length, "scores": scores},
        "persons": [
            _person(person, analysis.media.duration / levels.BUCKETS if length else None)
            for person in analysis.persons
        ],
        "segments": [_segment(analysis, s, shown[s.id], pictures) for s in analysis.segments],
        "words": {"meaning": view.verdict_meaning[0] if view.verdict_meaning else ""},
    }


def _person(person: Person, bucket: float | None) -> dict[str, Any]:
    columns = levels.columns_of(person)
    scores = levels.outline(columns, bucket) if bucket else columns.listed(slice(None))
    return {"id": person.id, "tracks": list(person.tracks), **scores}


def _segment(analysis: Analysis, segment: Segment, shown: SegmentView, pictures: str) -> dict[str, Any]:
    still = analysis.media.kind is MediaKind.IMAGE
    return {
        "id": segment.id,
        "person": segment.person,
        "start": round(segment.start, 4),
        "end": round(segment.end, 4),
        "from": shown.start,
        "to": shown.end,
        "length": shown.duration,
        "frames": shown.frames,
        "confidence": segment.confidence,
        "confidence_words": shown.confidence,
        "strength": shown.strength,
        "meaning": numbers.strength(segment.confidence).definition,
        "peaks": [
            _peak(segment, peak, view, pictures, "" if still else f", {view.time}")
            for peak, view in zip(segment.peaks, shown.peaks, strict=True)
        ],
    }


def _peak(segment: Segment, peak: Peak, view: PeakView, pictures: str, when: str) -> dict[str, Any]:
    def address(picture: Picture) -> str | None:
        return pictures + picture.path if picture.path else None

    return {
        "id": f"{segment.id}-{view.number}",
        "number": view.number,
        "time": round(peak.time, 4),
        "at": view.time,
        "score": view.score,
        "heat": view.heat,
        "frame": address(view.frame),
        "overlay": address(view.overlay),
        "map": address(view.map),
        "close_up": close_up(peak.box),
        "confirmed": view.confirmed,
        "effect": view.effect,
        "check": [list(row) for row in view.check],
        "caption": f"Segment {segment.id}, person {segment.person}{when}, score {view.score}",
    }
