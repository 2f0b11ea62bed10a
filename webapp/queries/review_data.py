"""What the review page works with: one analysis as JSON, its words from the report's view.

Scores go as one list a person and a field, which is a quarter of the size of a list of
objects. Those of a long analysis go in two levels: a small outline of all, and any stretch of it
whole (:func:`outline`, :func:`stretch`). Times are seconds from the first frame to a ten-thousandth,
boxes whole pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Analysis, MediaKind, OtherModel, Peak, Person, Segment
from reports.text import numbers
from reports.text.language import gettext, stored
from reports.text.words import gap_reason
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
    it then gets only an outline; without, it gets all. Words are in the language spoken now, in which
    ``view`` has to be.
    """
    length = stretch_length(analysis) if scores is not None else None
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
            "reason": stored(playback.reason) if playback else "",
            "rotation": analysis.media.rotation,
        },
        "photo": None
        if analysis.media.kind is MediaKind.VIDEO
        else _photo(analysis, view, playback, pictures),
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
            {"start": round(gap.start, 4), "end": round(gap.end, 4), "reason": gap_reason(gap.reason)}
            for gap in analysis.coverage.not_examined
        ],
        "outline": None
        if length is None
        else {"bucket": analysis.media.duration / BUCKETS, "stretch": length, "scores": scores},
        "persons": [
            _person(person, analysis.media.duration / BUCKETS if length else None)
            for person in analysis.persons
        ],
        "segments": [_segment(analysis, s, shown[s.id], pictures) for s in analysis.segments],
        "others": [
            _other(number, other, analysis.media.duration / BUCKETS if length else None)
            for number, other in enumerate(analysis.others, start=2)
        ],
        "words": {"meaning": view.verdict_meaning[0] if view.verdict_meaning else ""},
    }


def _photo(analysis: Analysis, view: ReportView, playback: Playback | None, pictures: str) -> dict[str, Any]:
    """A photo as it was kept, perhaps smaller; whether it is made of blocks, and whether a copy is shown."""
    kept = view.clean.path if view.clean else None
    # Analyses before 1.8 kept the photo once for each flagged face.
    kept = kept or next((p.frame.path for s in view.segments for p in s.peaks if p.frame.path), None)
    return {
        "blocks": analysis.media.codec == "mjpeg",
        "copy": playback is None or playback.source != "exhibit",
        "picture": pictures + kept if kept else None,
    }


def _person(person: Person, bucket: float | None) -> dict[str, Any]:
    columns = columns_of(person)
    scores = outline(columns, bucket) if bucket else columns.listed(slice(None))
    return {"id": person.id, "tracks": list(person.tracks), **scores}


def _other(number: int, other: OtherModel, bucket: float | None) -> dict[str, Any]:
    """What another model says; its lanes lie under those of the first; of a long analysis, outlines."""
    return {
        "number": number,
        "name": other.model.name,
        "title": other.model.title,
        "verdict": other.verdict.value,
        "persons": [_person(person, bucket) | {"box": []} for person in other.persons],
        "segments": [
            {"id": one.id, "person": one.person, "start": round(one.start, 4), "end": round(one.end, 4)}
            for one in other.segments
        ],
    }


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
        "caption": gettext(
            "%(kind)s %(id)s, person %(person)s%(when)s, score %(score)s",
            kind=(gettext("Segment") if when else gettext("Flagged face")),
            id=segment.id,
            person=segment.person,
            when=when,
            score=view.score,
        ),
    }


WHOLE = 10_000
"""An analysis of no more scores than this is sent whole."""


BUCKETS = 400
"""Of an outline: about one for two or three pixels of a timeline."""


STRETCH = 12_000
"""Scores of a stretch, about: some 60 kB compressed, and a moment's work for a browser."""


@dataclass(frozen=True)
class Columns:
    """The n scores of one person, in order of time; NaN where a face could not be judged."""

    time: NDArray[np.float64]  # (n,), seconds from the first frame
    track: NDArray[np.int64]  # (n,)
    box: NDArray[np.int64]  # (n, 4), pixels
    score: NDArray[np.float64]  # (n,), probability of the single frame
    smooth: NDArray[np.float64]  # (n,), smoothed

    def listed(self, chosen: NDArray[np.intp] | slice) -> dict[str, Any]:
        """Some of them as JSON has them: a list a field, times to a ten-thousandth."""
        return {
            "time": self.time[chosen].round(4).tolist(),
            "track": self.track[chosen].tolist(),
            "box": self.box[chosen].ravel().tolist(),
            "score": _listed(self.score[chosen]),
            "smooth": _listed(self.smooth[chosen]),
        }


def columns_of(person: Person) -> Columns:
    """The scores of a person as columns."""
    scores = person.scores
    return Columns(
        scores.time,
        scores.track.astype(np.int64),
        scores.box.round().astype(np.int64),
        scores.probability,
        scores.smoothed,
    )


def outline(person: Columns, width: float) -> dict[str, Any]:
    """The outline of a person's scores in buckets of ``width`` seconds, with fields ``low`` and ``high``."""
    buckets = (person.time / width).astype(np.int64)
    judged = np.flatnonzero(~np.isnan(person.smooth))
    low, high = np.full(len(buckets), np.nan), np.full(len(buckets), np.nan)
    kept = [_firsts(person.track)]  # of each track something stays: persons can be split along them
    if len(judged):
        order = judged[np.lexsort((person.smooth[judged], buckets[judged]))]
        start = _firsts(buckets[order])
        end = np.append(start[1:], len(order)) - 1
        kept += [order[start], order[end]]
        # The same buckets in the same order, each now sorted by single scores.
        by_score = judged[np.lexsort((person.score[judged], buckets[judged]))]
        lower, upper = start + (end - start) // 4, start + -(-3 * (end - start) // 4)
        of_bucket = np.repeat(np.arange(len(start)), end - start + 1)
        low[order] = person.score[by_score[lower]][of_bucket]
        high[order] = person.score[by_score[upper]][of_bucket]
    judged_buckets = np.isin(buckets, buckets[judged])
    unjudged = np.flatnonzero(~judged_buckets)
    kept.append(unjudged[_firsts(buckets[unjudged])])
    chosen = np.unique(np.concatenate(kept))
    return person.listed(chosen) | {"low": _listed(low[chosen]), "high": _listed(high[chosen])}


def stretch(person: Columns, start: float, end: float) -> dict[str, Any]:
    """All scores from ``start`` to ``end``, in seconds; what lies at the end is left out."""
    first, last = np.searchsorted(person.time.round(4), [start, end])
    return person.listed(slice(first, last))


def stretch_length(analysis: Analysis) -> float | None:
    """Seconds of one stretch of an analysis; None for one that is sent whole."""
    count = sum(len(person.scores) for person in analysis.persons)
    if count <= WHOLE:
        return None
    return max(1.0, round(analysis.media.duration * STRETCH / count))


def _firsts(values: NDArray[Any]) -> NDArray[np.intp]:
    """Where each run of equal values starts."""
    if not len(values):
        return np.empty(0, np.intp)
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))


def _listed(values: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.round(6).tolist()]
