"""Compare segments, their peaks and the occlusion check between two analyses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from detector.schema.analysis import (
    Analysis,
    Box,
    CalmFrame,
    HideAndRescore,
    Peak,
    PeakMap,
    Score,
    Segment,
    Software,
    StripFace,
)
from detector.schema.formatting import N_, count_noun, timecode
from detector.verdict.judged_persons import is_covered


@dataclass(frozen=True)
class Tolerance:
    """How far two analyses may differ and still agree; ``docs/evidence.md`` has the measurements."""

    probability: float  # of a face in a frame, a segment or the exhibit
    frames: int  # sampled frames by which an edge of a segment may move
    unmatched: float  # share of faces in sampled frames that only one analysis judged
    between: float  # the same for other frames, which lie around the ends of candidates

    def __str__(self) -> str:
        words = N_(
            "probabilities within %(probability)s, edges of segments within %(frames)s sampled frames, at "
            "most %(unmatched)s of the faces judged in sampled frames and %(between)s of those in others "
            "judged in one of both only; verdict and number of segments the same"
        )
        if self.frames == 1:
            words = N_(
                "probabilities within %(probability)s, edges of segments within %(frames)s sampled frame, at "
                "most %(unmatched)s of the faces judged in sampled frames and %(between)s of those in others "
                "judged in one of both only; verdict and number of segments the same"
            )
        return words % {
            "probability": f"{self.probability:g}",
            "frames": self.frames,
            "unmatched": f"{self.unmatched:.1%}",
            "between": f"{self.between:.0%}",
        }


TOLERANCE = Tolerance(probability=0.01, frames=1, unmatched=0.005, between=0.1)


def same_engine_version(first: Software, second: Software) -> bool:
    """Check whether one version of the engine made both, as far as is recorded."""
    return all(
        getattr(first, name) == getattr(second, name)
        for name in ("source_sha256", "face_proposals_sha256", "covered_faces_sha256")
    )


LOGITS = 0.1  # absolute, or relative, of a logit or its change by occlusion
HEAT = 0.05  # of the strongest map
_PLACE, _PIXELS = 0.05, 2.0  # share of the face's width, and at least px, by which a box may move
_EXACT = 1e-6  # seconds: times are fractions stored as the nearest float


def same_place(first: Box, second: Box) -> bool:
    """Check whether two boxes are the same within the tolerance between machines."""
    room = max(_PIXELS, _PLACE * (second[2] - second[0]))
    return all(abs(a - b) <= room for a, b in zip(first, second, strict=True))


def same_logit(first: float, second: float) -> bool:
    """Check whether two logits, or differences of logits, are the same within the tolerance."""
    return abs(first - second) <= max(LOGITS, LOGITS * abs(second))


def segment_problems(
    recorded: Analysis, again: Analysis, persons: Mapping[str, str], tolerance: Tolerance
) -> Iterator[str]:
    """Compare segments that exist in both: persons, frames, peaks and the occlusion check."""
    repeated = {segment.id: segment for segment in again.segments}
    step = math.ceil(recorded.media.frames / max(recorded.coverage.frames_sampled, 1))
    for old in recorded.segments:
        if (new := repeated.get(old.id)) is None:
            continue  # reported elsewhere
        if persons.get(old.person, new.person) != new.person:
            yield f"segment {old.id} is of another person"
        if is_covered(old) is not is_covered(new):
            yield f"whether the face is covered in segment {old.id} differs"
        allowed = max(2 * step, math.ceil(tolerance.between * old.frames))
        if abs(old.frames - new.frames) > allowed:
            yield f"frames of segment {old.id}: {new.frames:,}, where {old.frames:,} are recorded"
        for edge in ("start", "end"):
            old_frame, new_frame = getattr(old, f"{edge}_frame"), getattr(new, f"{edge}_frame")
            moved = abs(getattr(old, edge) - getattr(new, edge)) > _EXACT
            near = (
                old_frame is not None
                and new_frame is not None
                and moved
                and abs(old_frame - new_frame) <= 2 * step
            )
            if old_frame != new_frame and not near:
                yield (
                    f"the {edge} of segment {old.id} is frame {new_frame}, "
                    f"where frame {old_frame} is recorded"
                )
        yield from _of_peaks(old, new, again, tolerance)
        yield from _of_calm(old, new, again, tolerance)
        yield from _of_strip(old, new, tolerance)


def _of_peaks(old: Segment, new: Segment, again: Analysis, tolerance: Tolerance) -> Iterator[str]:
    if len(old.peaks) != len(new.peaks):
        yield f"segment {old.id} has {len(new.peaks)} peaks, where {len(old.peaks)} are recorded"
    for number, peak in enumerate(old.peaks, start=1):
        name = f"peak {number} of segment {old.id}"
        match = matching_peak(peak, new)
        if match is not None:
            yield from _of_peak(name, peak, match, tolerance)
        elif not _as_high(peak, new, again, tolerance):
            yield f"{name}: none is found at {timecode(peak.time)}"


def matching_peak(peak: Peak, segment: Segment) -> Peak | None:
    """Return the peak of ``segment`` in the same frame, whose pictures can be compared."""
    return next((candidate for candidate in segment.peaks if candidate.pts == peak.pts), None)


def replaced_peaks(recorded: Analysis, again: Analysis) -> list[str]:
    """Return the names of recorded peaks in whose place another frame was chosen."""
    models = [(recorded.segments, again.segments, "")]
    pairs = zip(recorded.others, again.others, strict=False)
    models += [
        (first.segments, second.segments, f" by model {number}")
        for number, (first, second) in enumerate(pairs, start=2)
    ]
    return [
        f"peak {number} of segment {segment.id}{by}"
        for old, new, by in models
        for segment in old
        for number, peak in enumerate(segment.peaks, start=1)
        if any(candidate.id == segment.id and matching_peak(peak, candidate) is None for candidate in new)
    ]


def _as_high(peak: Peak, segment: Segment, again: Analysis, tolerance: Tolerance) -> bool:
    """Check whether the frame of a missing peak scores as recorded and as high as the peaks found."""
    lowest = min((found_peak.probability for found_peak in segment.peaks), default=1.0)
    return any(
        score.smoothed is not None
        and score.smoothed >= lowest - tolerance.probability
        and _is_of(peak, score, tolerance)
        for person in again.persons
        if person.id == segment.person
        for score in person.scores
        if score.pts == peak.pts
    )


def _is_of(peak: Peak | CalmFrame, score: Score, tolerance: Tolerance) -> bool:
    apart = abs(peak.probability - (score.probability or 0.0))
    same = abs(peak.time - score.time) <= _EXACT and same_place(peak.box, score.box)
    return same and apart <= tolerance.probability


def _of_peak(name: str, old: Peak, new: Peak, tolerance: Tolerance) -> Iterator[str]:
    if abs(old.time - new.time) > _EXACT or old.frame_index != new.frame_index:
        yield (
            f"{name} is at {timecode(new.time)}, frame {new.frame_index}, where {timecode(old.time)}, "
            f"frame {old.frame_index}, is recorded"
        )
    if not same_place(old.box, new.box):
        yield f"{name}: the face lies elsewhere"
    for measure, a, b, allowed in (
        ("probability", old.probability, new.probability, tolerance.probability),
        ("heat", old.heat, new.heat, HEAT),
    ):
        if abs(a - b) > allowed:
            yield f"{name}: {measure} is {b:.3g}, where {a:.3g} is recorded"
    if [heatmap.method for heatmap in old.maps] != [heatmap.method for heatmap in new.maps]:
        yield f"{name}: it has heatmaps by other methods"
    else:
        for number, (old_map, new_map) in enumerate(zip(old.maps, new.maps, strict=True)):
            yield from _of_map(f"{name}, {old_map.method}", old_map, new_map)
            if number or old_map.check != old.check:  # the first one's is compared as the peak's below
                yield from _of_check(f"{name}, {old_map.method}", old_map.check, new_map.check, tolerance)
    yield from _of_check(name, old.check, new.check, tolerance)


def _of_map(name: str, old: PeakMap, new: PeakMap) -> Iterator[str]:
    for measure in ("question", "framing"):
        if (first := getattr(old, measure)) != (second := getattr(new, measure)):
            yield f"{name}: {measure} is {second or 'none'}, where {first or 'none'} is recorded"
    if set(old.networks) != set(new.networks):
        yield f"{name}: it explains other networks"
    for measure, a, b in (("heat", old.heat, new.heat), ("share", old.share or 0.0, new.share or 0.0)):
        if abs(a - b) > HEAT:
            yield f"{name}: {measure} is {b:.3g}, where {a:.3g} is recorded"


def _of_calm(old: Segment, new: Segment, again: Analysis, tolerance: Tolerance) -> Iterator[str]:
    """Compare the calm frames; another machine may choose another one of frames that score alike."""
    name = f"the calm frame of segment {old.id}"
    if old.calm is None or new.calm is None:
        if old.calm or new.calm:
            yield f"{name} stands in one of both only"
        return
    if old.calm.pts != new.calm.pts:
        if not _as_calm(old.calm, new, again, tolerance):
            yield f"{name}: none is found at {timecode(old.calm.time)}"
        return
    if abs(old.calm.time - new.calm.time) > _EXACT or old.calm.frame_index != new.calm.frame_index:
        yield f"{name} is at {timecode(new.calm.time)}, where {timecode(old.calm.time)} is recorded"
    if not same_place(old.calm.box, new.calm.box):
        yield f"{name}: the face lies elsewhere"
    if abs(old.calm.probability - new.calm.probability) > tolerance.probability:
        yield (
            f"{name}: probability is {new.calm.probability:.3g}, where {old.calm.probability:.3g} is recorded"
        )


def _as_calm(calm: CalmFrame, segment: Segment, again: Analysis, tolerance: Tolerance) -> bool:
    """Check whether the frame scores as recorded, and as low as the calm frame found."""
    assert segment.calm is not None
    person = next((person for person in again.persons if person.id == segment.person), None)
    scores = {score.pts: score for score in person.scores} if person else {}
    chosen, recorded = scores.get(segment.calm.pts), scores.get(calm.pts)
    if chosen is None or recorded is None or chosen.smoothed is None or recorded.smoothed is None:
        return False
    as_low = recorded.smoothed <= chosen.smoothed + tolerance.probability
    return as_low and _is_of(calm, recorded, tolerance)


def _of_strip(old: Segment, new: Segment, tolerance: Tolerance) -> Iterator[str]:
    """Compare film strips, which are made together with pictures only.

    Their moments follow from the ends of a segment, which may have moved.
    """
    if not new.strip:
        return
    faces = {face.pts: face for face in new.strip}
    moved = (old.start, old.end) != (new.start, new.end)
    if old.strip and not moved and len(old.strip) != len(new.strip):
        yield f"film strip of segment {old.id} has {count_noun(len(new.strip), 'face')}, not {len(old.strip)}"
    for number, face in enumerate(old.strip, start=1):
        match = faces.get(face.pts)
        if match is None and not moved:
            yield f"film strip of segment {old.id}: no face {number} at {timecode(face.time)}"
        elif match is not None and not _same_face(face, match, tolerance):
            yield f"film strip of segment {old.id}: face {number} has another time or probability"


def _same_face(old: StripFace, new: StripFace, tolerance: Tolerance) -> bool:
    if abs(old.time - new.time) > _EXACT or (old.probability is None) != (new.probability is None):
        return False
    return abs((old.probability or 0.0) - (new.probability or 0.0)) <= tolerance.probability


def _of_check(
    name: str, old_check: HideAndRescore | None, new_check: HideAndRescore | None, tolerance: Tolerance
) -> Iterator[str]:
    if old_check is None or new_check is None:
        if old_check or new_check:
            yield f"{name}: it has {'a' if new_check else 'no'} heatmap, unlike the recorded frame"
        return
    for measure, a, b, allowed in (
        ("hidden area", old_check.area, new_check.area, tolerance.probability),
        ("probability before hiding", old_check.probability, new_check.probability, tolerance.probability),
        ("probability without the hottest area", old_check.hidden_highlight, new_check.hidden_highlight,
         tolerance.probability),
        ("probability without random areas", old_check.hidden_random, new_check.hidden_random,
         tolerance.probability),
        ("probability without the middle", old_check.hidden_middle or 0.0, new_check.hidden_middle or 0.0,
         tolerance.probability),
        ("number of random areas", old_check.areas, new_check.areas, 0),
    ):  # fmt: skip
        if abs(a - b) > allowed:
            yield f"{name}: {measure} is {b:.3g}, where {a:.3g} is recorded"
    if (old_check.drop_middle is None) != (new_check.drop_middle is None):
        yield f"{name}: the middle was hidden in one of both only"
    for measure, a, b in (
        ("drop without the hottest area", old_check.drop_highlight, new_check.drop_highlight),
        ("drop without random areas", old_check.drop_random, new_check.drop_random),
        ("drop without the middle", old_check.drop_middle or 0.0, new_check.drop_middle or 0.0),
        ("margin", old_check.margin, new_check.margin),
    ):
        if not same_logit(a, b):
            yield f"{name}: {measure} is {b:.3g}, where {a:.3g} is recorded"
