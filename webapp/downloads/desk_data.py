"""Data of the review desk: one analysis as JSON, its scores in two levels of detail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Analysis, Box, Media, OtherModel, Parameters, Peak, Person, Segment
from language.names import model_title
from language.translation import gettext, reason_text, text_of
from reports.wording.verbal_scale import step_of
from webapp.downloads.desk_sound import sound_document
from webapp.exhibits.results import LoadedResult

if TYPE_CHECKING:
    from reports.inputs.pictures import ShownPicture
    from reports.persons.segments import MomentView
    from reports.report_view import PeakView, ReportView, SegmentView
    from webapp.exhibits.media.playback import Playback


MAX_WHOLE = 10_000  # analyses with at most this many scores are sent whole
BUCKETS = 400  # of an outline: about one for every two or three pixels of a timeline
STRETCH = 12_000  # scores of a stretch: about 60 kB compressed, processed at once by a browser


@dataclass(frozen=True)
class Columns:
    """The n scores of one person in order of time; NaN if a face could not be judged."""

    time: NDArray[np.float64]  # (n,), seconds from the first frame
    track: NDArray[np.int64]  # (n,)
    box: NDArray[np.int64]  # (n, 4), pixels
    score: NDArray[np.float64]  # (n,), probability of the single frame
    smooth: NDArray[np.float64]  # (n,), smoothed
    interpolated: NDArray[np.bool_]  # (n,): the scan did not see this face

    def listed(self, chosen: NDArray[np.intp] | slice) -> dict[str, Any]:
        """Return some scores as JSON: a list for each field, times to a ten-thousandth."""
        return {
            "time": self.time[chosen].round(4).tolist(),
            "track": self.track[chosen].tolist(),
            "box": self.box[chosen].ravel().tolist(),
            "score": _listed(self.score[chosen]),
            "smooth": _listed(self.smooth[chosen]),
            "interpolated": self.interpolated[chosen].astype(int).tolist(),
        }


def score_columns(person: Person) -> Columns:
    """Return the scores of a person as columns."""
    scores = person.scores
    return Columns(
        scores.time,
        scores.track.astype(np.int64),
        scores.box.round().astype(np.int64),
        scores.probability,
        scores.smoothed,
        scores.interpolated,
    )


def outline(person: Columns, width: float) -> dict[str, Any]:
    """Thin a person's scores out to buckets of ``width`` seconds, with fields ``low`` and ``high``."""
    buckets = (person.time / width).astype(np.int64)
    judged_indices = np.flatnonzero(~np.isnan(person.smooth))
    low, high = np.full(len(buckets), np.nan), np.full(len(buckets), np.nan)
    indices = [_run_starts(person.track)]  # a score of every track, because persons can be split by track
    if len(judged_indices):
        order = judged_indices[np.lexsort((person.smooth[judged_indices], buckets[judged_indices]))]
        start = _run_starts(buckets[order])
        end = np.append(start[1:], len(order)) - 1
        indices += [order[start], order[end]]
        # Keep the order of the buckets, and sort each by the scores of single frames.
        by_score = judged_indices[np.lexsort((person.score[judged_indices], buckets[judged_indices]))]
        lower, upper = start + (end - start) // 4, start + -(-3 * (end - start) // 4)
        of_bucket = np.repeat(np.arange(len(start)), end - start + 1)
        low[order] = person.score[by_score[lower]][of_bucket]
        high[order] = person.score[by_score[upper]][of_bucket]
    judged_buckets = np.isin(buckets, buckets[judged_indices])
    unjudged_indices = np.flatnonzero(~judged_buckets)
    indices.append(unjudged_indices[_run_starts(buckets[unjudged_indices])])
    selection = np.unique(np.concatenate(indices))
    return person.listed(selection) | {"low": _listed(low[selection]), "high": _listed(high[selection])}


def score_stretch(person: Columns, start: float, end: float) -> dict[str, Any]:
    """Return all scores from ``start`` up to but excluding ``end``, in seconds."""
    first, last = np.searchsorted(person.time.round(4), [start, end])
    return person.listed(slice(first, last))


def stretch_length(analysis: Analysis) -> float | None:
    """Return the seconds of one stretch; None for an analysis that is sent whole."""
    count = sum(len(person.scores) for person in analysis.persons)
    if count <= MAX_WHOLE:
        return None
    return max(1.0, round(analysis.media.duration * STRETCH / count))


def _run_starts(values: NDArray[Any]) -> NDArray[np.intp]:
    """Return the indices where runs of equal values start."""
    if not len(values):
        return np.empty(0, np.intp)
    return np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))


def _listed(values: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.round(6).tolist()]


DESK_DATA_VERSION = "1.0"
_ROOM = 1.5  # side of a close-up relative to the face


@dataclass(frozen=True)
class DeskAddresses:
    """Addresses of content outside the data; the defaults suit a bundle without the exhibit."""

    pictures: str = ""  # prefix of paths of pictures
    media: str | None = None  # the playable exhibit
    scores: str | None = None  # stretches of a long analysis; if set, the data contain an outline only


def desk_document(
    analysis_id: str,
    result: LoadedResult,
    playback: Playback | None = None,
    addresses: DeskAddresses = DeskAddresses(),
) -> dict[str, Any]:
    """Build the data of the review desk; ``playback`` describes the playable exhibit.

    Texts are in the current language, which must be that of the view of ``result``.
    """
    analysis, view, pictures, scores = result.analysis, result.view, addresses.pictures, addresses.scores
    length = stretch_length(analysis) if scores is not None else None
    bucket = analysis.media.duration / BUCKETS if length else None
    segment_views = {segment.id: segment for segment in view.segments}
    still = analysis.media.still
    return {
        "review": DESK_DATA_VERSION,
        "analysis": {"id": analysis_id, "sha256": result.sha256, "exhibit_sha256": analysis.media.sha256},
        "media": _media(analysis.media, view.head.file, playback, addresses.media),
        "photo": _photo(analysis, view, playback, pictures) if still else None,
        "rules": _rules(analysis.parameters),
        "unexplained": view.unexplained,
        "cuts": [round(cut, 4) for cut in analysis.coverage.cuts],
        "gaps": [
            {"start": round(gap.start, 4), "end": round(gap.end, 4), "reason": reason_text(gap)}
            for gap in analysis.coverage.not_examined
        ],
        "outline": {"bucket": bucket, "stretch": length, "scores": scores} if length else None,
        "persons": [_person(person, bucket) for person in analysis.persons],
        "segments": [_segment(analysis, s, segment_views[s.id], pictures) for s in analysis.segments],
        "others": [_other(number, other, bucket) for number, other in enumerate(analysis.others, start=2)],
        "voice": sound_document(analysis.voice, view.sound, pictures)
        if analysis.voice and view.sound
        else None,
        "words": {"meaning": view.meaning.on_desk},
    }


def _media(media: Media, file: str, playback: Playback | None, address: str | None) -> dict[str, Any]:
    is_playable = playback is not None and playback.source != "none"
    return {
        "kind": media.kind.value,
        "file": file,
        "width": media.width,
        "height": media.height,
        "duration": round(media.duration, 4),
        "source": address if is_playable else None,
        "offset": playback.offset if is_playable and playback else 0.0,
        "reason": text_of(playback.cause, playback.reason) if playback else "",
        "rotation": media.rotation,
    }


def _rules(parameters: Parameters) -> dict[str, float]:
    """Return the rules for segments, so that the desk can try other thresholds."""
    return {
        "enter": parameters.enter_threshold,
        "exit": parameters.exit_threshold,
        "edge_level": parameters.edge_level,
        "median_window": parameters.median_window,
        "merge_gap": parameters.merge_gap,
        "minimum_duration": parameters.minimum_duration,
        "bridge_gap": parameters.bridge_gap,
        "minimum_usable_frames": parameters.minimum_usable_frames,
        "sample_rate": parameters.sample_rate,
    }


def _photo(analysis: Analysis, view: ReportView, playback: Playback | None, pictures: str) -> dict[str, Any]:
    """Return the stored picture of a photo, whether the photo has JPEG blocks, and whether it is a copy."""
    path = view.clean.path if view.clean else None
    # Analyses before 0.2 stored the photo once for each flagged face.
    path = path or next((p.frame.path for s in view.segments for p in s.peaks if p.frame.path), None)
    return {
        "blocks": analysis.media.codec == "mjpeg",
        "copy": playback is None or playback.source != "exhibit",
        "picture": pictures + path if path else None,
    }


def _person(person: Person, bucket: float | None) -> dict[str, Any]:
    columns = score_columns(person)
    scores = outline(columns, bucket) if bucket else columns.listed(slice(None))
    return {"id": person.id, "tracks": list(person.tracks), **scores}


def _other(number: int, other: OtherModel, bucket: float | None) -> dict[str, Any]:
    """Return the findings of another model; only the outline for a long analysis."""
    return {
        "number": number,
        "name": other.model.name,
        "title": model_title(other.model.title),
        "verdict": other.verdict.value,
        "persons": [_person(person, bucket) | {"box": []} for person in other.persons],
        "segments": [
            {"id": s.id, "person": s.person, "start": round(s.start, 4), "end": round(s.end, 4)}
            for s in other.segments
        ],
    }


def _segment(
    analysis: Analysis, segment: Segment, segment_view: SegmentView, pictures: str
) -> dict[str, Any]:
    still = analysis.media.still
    return {
        "id": segment.id,
        "person": segment.person,
        "start": round(segment.start, 4),
        "end": round(segment.end, 4),
        "from": segment_view.start,
        "to": segment_view.end,
        "length": segment_view.duration,
        "scored": segment_view.scored,
        "confidence": segment.confidence,
        "confidence_words": segment_view.confidence,
        "flagged": segment_view.flagged,
        "strength": segment_view.strength,
        "meaning": step_of(analysis, segment.confidence).definition
        if segment_view.flagged
        else segment_view.meaning,
        "peaks": [
            _peak(segment, segment_view, peak, view, pictures, "" if still else f", {view.time}")
            for peak, view in zip(segment.peaks, segment_view.peaks, strict=True)
        ],
        "strip": [
            _moment(view, face.time, pictures)
            for face, view in zip(segment.strip, segment_view.strip, strict=True)
            if view.picture.path
        ],
        "calm": _moment(segment_view.calm, segment.calm.time, pictures)
        | {"close_up": _close_up(segment.calm.box)}
        if segment.calm and segment_view.calm and segment_view.calm.picture.path
        else None,
    }


def _moment(view: MomentView, time: float, pictures: str) -> dict[str, Any]:
    """Return a face of a film strip or a calm moment."""
    return {
        "time": round(time, 4),
        "at": view.time,
        "score": view.score,
        "inside": view.inside,
        "frame": f"{pictures}{view.picture.path}",
    }


def _peak(
    segment: Segment, segment_view: SegmentView, peak: Peak, view: PeakView, pictures: str, when: str
) -> dict[str, Any]:
    def address(picture: ShownPicture) -> str | None:
        return pictures + picture.path if picture.path else None

    return {
        "id": f"{segment_view.id}-{view.number}",
        "number": view.number,
        "time": round(peak.time, 4),
        "at": view.time,
        "score": view.score,
        "heat": view.heat,
        "frame": address(view.frame),
        "overlay": address(view.overlay),
        "map": address(view.map),
        "close_up": _close_up(peak.box),
        "near": _near(peak, view, address),
        "confirmed": view.confirmed,
        "leads": peak is segment.lead,
        "effect": view.effect,
        "check": [[row.what, row.score, row.change] for row in view.check.rows] if view.check else [],
        "bars": {
            "zero": view.check.zero,
            "least": view.check.least,
            "rows": [[row.start, row.length] for row in view.check.rows],
        }
        if view.check
        else None,
        "caption": gettext(
            "%(segment)s, person %(person)s%(when)s, score %(score)s",
            segment=segment_view.title,
            person=segment_view.person,
            when=when,
            score=view.score,
        ),
    }


def _near(peak: Peak, view: PeakView, address: Callable[[ShownPicture], str | None]) -> dict[str, Any] | None:
    """Return the pictures of a small face at full size and the part of the exhibit they show, if any."""
    if peak.close_up is None or view.near is None or not all(picture.path for picture in view.near):
        return None
    frame, overlay, heat = map(address, view.near)
    return {
        "part": [round(value) for value in peak.close_up.part],
        "frame": frame,
        "overlay": overlay,
        "map": heat,
    }


def _close_up(box: Box) -> str:
    """Return the square around a face with some room, as an SVG view box in pixels."""
    left, top, right, bottom = box
    side = _ROOM * max(right - left, bottom - top)
    return f"{(left + right - side) / 2:.1f} {(top + bottom - side) / 2:.1f} {side:.1f} {side:.1f}"
