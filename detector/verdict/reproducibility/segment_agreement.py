"""Compare segments, their peaks and the occlusion check between two analyses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from detector.schema.analysis import Analysis, Box, Peak, Score, Segment
from detector.schema.formatting import N_, timecode
from detector.verdict.judged_persons import is_covered


@dataclass(frozen=True)
class Tolerance:
    """How far two analyses may be apart and still agree."""

    probability: float  # of a face in a frame, of a segment, of the exhibit
    frames: int  # sampled frames that an edge of a segment may be moved by
    unmatched: float  # share of judged faces that only one of the two judged, of sampled frames
    between: float  # the same of other frames, which are those around the ends that sampled frames gave

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


LOGITS = 0.1  # of a logit, or of what hiding changes of it; or a tenth of it
_HEAT = 0.05
_PLACE, _PIXELS = 0.05, 2.0  # of a face's width that its box may lie elsewhere, and px at least
_EXACT = 1e-6  # seconds: times are fractions stored as the nearest float


def same_place(one: Box, other: Box) -> bool:
    """Whether two boxes are the same one, up to what another machine may make of it."""
    room = max(_PIXELS, _PLACE * (other[2] - other[0]))
    return all(abs(a - b) <= room for a, b in zip(one, other, strict=True))


def same_logit(one: float, other: float) -> bool:
    """Whether two logits, or what was subtracted from or added to one, may be the same."""
    return abs(one - other) <= max(LOGITS, LOGITS * abs(other))


def of_segments(
    recorded: Analysis, again: Analysis, persons: Mapping[str, str], tolerance: Tolerance
) -> Iterator[str]:
    """Of segments that stand in both: their persons, frames, peaks and what hiding changes."""
    here = {each.id: each for each in again.segments}
    step = math.ceil(recorded.media.frames / max(recorded.coverage.frames_sampled, 1))
    for there in recorded.segments:
        if (other := here.get(there.id)) is None:
            continue  # told already
        if persons.get(there.person, other.person) != other.person:
            yield f"segment {there.id} is of another person"
        if is_covered(there) is not is_covered(other):
            yield f"whether the face is covered in segment {there.id} differs"
        most = max(2 * step, math.ceil(tolerance.between * there.frames))
        if abs(there.frames - other.frames) > most:
            yield f"frames of segment {there.id}: {other.frames:,}, where {there.frames:,} are recorded"
        for edge in ("start", "end"):
            one, two = getattr(there, f"{edge}_frame"), getattr(other, f"{edge}_frame")
            moved = abs(getattr(there, edge) - getattr(other, edge)) > _EXACT
            near = one is not None and two is not None and moved and abs(one - two) <= 2 * step
            if one != two and not near:
                yield f"the {edge} of segment {there.id} is frame {two}, where frame {one} is recorded"
        yield from _of_peaks(there, other, again, tolerance)


def _of_peaks(there: Segment, here: Segment, again: Analysis, tolerance: Tolerance) -> Iterator[str]:
    if len(there.peaks) != len(here.peaks):
        yield f"segment {there.id} has {len(here.peaks)} peaks, where {len(there.peaks)} are recorded"
    for number, peak in enumerate(there.peaks, start=1):
        name = f"peak {number} of segment {there.id}"
        other = matching_peak(peak, here)
        if other is not None:
            yield from _of_peak(name, peak, other, tolerance)
        elif not _as_high(peak, here, again, tolerance):
            yield f"{name}: none is found at {timecode(peak.time)}"


def matching_peak(peak: Peak, segment: Segment) -> Peak | None:
    """The peak in the same frame, whose heatmap and pictures can be compared; None where there is none."""
    return next((each for each in segment.peaks if each.pts == peak.pts), None)


def chosen_otherwise(recorded: Analysis, again: Analysis) -> list[str]:
    """Names of recorded peaks in whose place another frame was chosen: their heat was not made again."""
    told = [(recorded.segments, again.segments, "")]
    pairs = zip(recorded.others, again.others, strict=False)
    told += [
        (one.segments, other.segments, f" by model {number}")
        for number, (one, other) in enumerate(pairs, start=2)
    ]
    return [
        f"peak {number} of segment {segment.id}{by}"
        for there, here, by in told
        for segment in there
        for number, peak in enumerate(segment.peaks, start=1)
        if any(each.id == segment.id and matching_peak(peak, each) is None for each in here)
    ]


def _as_high(peak: Peak, here: Segment, again: Analysis, tolerance: Tolerance) -> bool:
    """Whether its frame scores as told, and as high as those found: of equal ones another may be chosen."""
    lowest = min((each.probability for each in here.peaks), default=1.0)
    return any(
        score.smoothed is not None
        and score.smoothed >= lowest - tolerance.probability
        and _is_of(peak, score, tolerance)
        for person in again.persons
        if person.id == here.person
        for score in person.scores
        if score.pts == peak.pts
    )


def _is_of(peak: Peak, score: Score, tolerance: Tolerance) -> bool:
    apart = abs(peak.probability - (score.probability or 0.0))
    same = abs(peak.time - score.time) <= _EXACT and same_place(peak.box, score.box)
    return same and apart <= tolerance.probability


def _of_peak(name: str, there: Peak, here: Peak, tolerance: Tolerance) -> Iterator[str]:
    if abs(there.time - here.time) > _EXACT or there.frame_index != here.frame_index:
        yield (
            f"{name} is at {timecode(here.time)}, frame {here.frame_index}, where {timecode(there.time)}, "
            f"frame {there.frame_index}, is recorded"
        )
    if not same_place(there.box, here.box):
        yield f"{name}: the face lies elsewhere"
    one, other = there.check, here.check
    for what, a, b, most in (
        ("probability", there.probability, here.probability, tolerance.probability),
        ("heat", there.heat, here.heat, _HEAT),
        ("hidden area", one.area, other.area, tolerance.probability),
        ("probability before hiding", one.probability, other.probability, tolerance.probability),
        ("probability without the hottest area", one.hidden_highlight, other.hidden_highlight,
         tolerance.probability),
        ("probability without random areas", one.hidden_random, other.hidden_random, tolerance.probability),
        ("number of random areas", one.areas, other.areas, 0),
    ):  # fmt: skip
        if abs(a - b) > most:
            yield f"{name}: {what} is {b:.3g}, where {a:.3g} is recorded"
    for what, a, b in (
        ("drop without the hottest area", one.drop_highlight, other.drop_highlight),
        ("drop without random areas", one.drop_random, other.drop_random),
    ):
        if not same_logit(a, b):
            yield f"{name}: {what} is {b:.3g}, where {a:.3g} is recorded"
