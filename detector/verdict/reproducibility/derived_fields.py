"""Check the fields of an analysis that follow from its other fields, without the exhibit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Analysis, Peak, Person, Platt, Scores, Segment
from detector.schema.scores import sigmoid
from detector.segments import rules
from detector.segments.rules import is_sampled, mean_per_interval, sample_weights

_EXACT = 1e-6  # seconds, probabilities: both are stored as the nearest float
_ROUNDED = 0.02  # px; boxes are rounded to a hundredth before and after their median


def contradictions(analysis: Analysis, this_version: bool) -> Iterator[str]:
    """Which fields do not follow from others, in words; ``this_version`` of the engine made it, or another.

    Nothing is said of analyses that do not tell which source made them.
    """
    if analysis.software.source_sha256 is None:
        return
    yield from _of_one_model(analysis, told=True, this_version=this_version)
    for number, other in enumerate(analysis.others, start=2):
        # Earlier versions told the calibration of the scan alone, whatever fused logits were made by.
        told = this_version or other.model.second_look is None
        found = _of_one_model(analysis.by(other), told=told, this_version=this_version)
        yield from (f"by model {number}, {each}" for each in found)


def _of_one_model(analysis: Analysis, *, told: bool, this_version: bool) -> Iterator[str]:
    for person in analysis.persons:
        scores = person.scores
        segments = [each for each in analysis.segments if each.person == person.id]
        judged = ~np.isnan(scores.logit)
        if set(person.tracks) != set(scores.track.tolist()):
            yield f"tracks of person {person.id} are not those of its faces"
        if not all(np.array_equal(each, judged) for each in _known(scores)):
            yield f"a face of person {person.id} is half judged"
            continue
        if told and not _close(_probability(scores.logit, analysis), scores.probability):
            yield f"probabilities of person {person.id} do not follow from its logits"
        if not _smoothed_fits(scores, analysis, told, this_version):
            yield f"smoothed probabilities of person {person.id} do not follow from its logits"
        for segment in segments:
            yield from _of_segment(segment, scores, analysis)
        if this_version:
            yield from _by_these_rules(person, segments, analysis, told)


def _known(scores: Scores) -> tuple[NDArray[np.bool_], ...]:
    return scores.usable, ~np.isnan(scores.probability), ~np.isnan(scores.smoothed)


def _close(one: rules.Floats, other: rules.Floats) -> bool:
    return bool(np.allclose(one, other, rtol=0, atol=_EXACT, equal_nan=True))


def _probability(logits: rules.Floats, analysis: Analysis) -> rules.Floats:
    return sigmoid(logits / analysis.model.temperature)


def _tracks(scores: Scores, judged: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Places of each track's among those that are ``judged``."""
    track = scores.track[judged]
    return [np.flatnonzero(track == number) for number in np.unique(track)]


def _smoothed_fits(scores: Scores, analysis: Analysis, told: bool, this_version: bool) -> bool:
    """Whether they are medians along the tracks; by other versions' rules at least none is beyond them."""
    judged = np.flatnonzero(~np.isnan(scores.logit))
    for track in _tracks(scores, judged):
        here = judged[track]
        smoothed, single = scores.smoothed[here], scores.probability[here]
        if not (single.min() - _EXACT <= smoothed.min() and smoothed.max() <= single.max() + _EXACT):
            return False
        if this_version and told:
            times, parameters = scores.time[here], analysis.parameters
            weights = sample_weights(times, parameters.sample_rate)
            medians = rules.sliding_median(times, scores.logit[here], parameters.median_window, weights)
            if not _close(_probability(medians, analysis), smoothed):
                return False
    return True


def _of_segment(segment: Segment, scores: Scores, analysis: Analysis) -> Iterator[str]:
    """That it begins, ends and has its peaks at scored frames, and numbers of frames are in order."""
    name = f"segment {segment.id}"
    inside = _inside(segment, scores)
    times = scores.time[inside]
    ends = (segment.start, segment.end)
    if not len(inside) or max(abs(times[0] - ends[0]), abs(times[-1] - ends[1])) > _EXACT:
        yield f"{name} begins or ends at no scored frame of its person"
        return
    if segment.frames != len(inside):
        yield f"{name} has {len(inside):,} scored frames, where {segment.frames:,} are told"
    media = analysis.media
    shown = media.frames + media.frames_undecodable + media.frames_out_of_order
    numbers = [segment.start_frame, *(peak.frame_index for peak in segment.peaks), segment.end_frame]
    known = [number for number in numbers if number is not None]
    few = len(known) == len(numbers) and known[-1] - known[0] + 1 < len(np.unique(times))
    if known != sorted(known) or few or any(number >= shown for number in known):
        yield f"numbers of frames of {name} contradict each other"
    for rank, peak in enumerate(segment.peaks, start=1):
        if not _is_scored(peak, scores, inside):
            yield f"peak {rank} of {name} is no scored frame of its person"


def _inside(segment: Segment, scores: Scores) -> NDArray[np.intp]:
    """Places of the judged scores within a segment."""
    within = (scores.time >= segment.start - _EXACT) & (scores.time <= segment.end + _EXACT)
    return np.flatnonzero(within & ~np.isnan(scores.logit))


def _is_scored(peak: Peak, scores: Scores, inside: NDArray[np.intp]) -> bool:
    """Whether a peak's time, box and probability are those of a score."""
    at = inside[scores.pts[inside] == peak.pts]
    return any(
        max(abs(score.time - peak.time), abs((score.probability or 0.0) - peak.probability)) <= _EXACT
        and np.allclose(score.box, peak.box, rtol=0, atol=_EXACT)
        for score in (scores[int(place)] for place in at)
    )


def _by_these_rules(person: Person, segments: list[Segment], analysis: Analysis, told: bool) -> Iterator[str]:
    """Which segments a person has, and how sure that is, by the rules of this version."""
    scores, parameters = person.scores, analysis.parameters
    if len(scores):
        sampled = is_sampled(scores.time, parameters.sample_rate)
        if np.abs(np.median(scores.box[sampled], axis=0) - person.median_box).max() > _ROUNDED:
            yield f"the middle place of person {person.id} is not that of its faces"
    judged = np.flatnonzero(~np.isnan(scores.logit))
    times, smoothed, logits = scores.time[judged], scores.smoothed[judged], scores.logit[judged]
    still = analysis.media.still
    found = rules.find_in_person(times, smoothed, _tracks(scores, judged), parameters, still)
    by_ends = {(float(times[one.first]), float(times[one.last])): one for one in found}
    ends = [(segment.start, segment.end) for segment in segments]
    outweighed = still and not segments  # many faces of a photograph speak against its one
    if not outweighed and sorted(by_ends) != sorted(ends):
        yield f"the segments of person {person.id} are not those that follow from its scores"
        return
    for segment in segments:
        one = by_ends[segment.start, segment.end]
        tops = [int(scores.pts[judged[place]]) for place in rules.peaks(times, smoothed, logits, one)]
        # One that was not found when the file was read again is left out.
        told_tops = [peak.pts for peak in segment.peaks]
        if told_tops != [pts for pts in tops if pts in told_tops]:
            yield f"the peaks of segment {segment.id} are not those that follow from its scores"
        inside = slice(one.first, one.last + 1)
        level = mean_per_interval(times[inside], logits[inside], parameters.sample_rate).mean()
        if told and abs(_confidence(level, analysis.model.segment, analysis) - segment.confidence) > _EXACT:
            yield f"the confidence of segment {segment.id} does not follow from its scores"


def _confidence(level: float, platt: Platt | None, analysis: Analysis) -> float:
    return sigmoid(platt.scale * level + platt.offset if platt else level / analysis.model.temperature)
