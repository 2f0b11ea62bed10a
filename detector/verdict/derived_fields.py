"""Check the fields of an analysis that follow from its other fields, without the exhibit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detector.schema.analysis import Analysis, Person, Platt, Scores, Segment
from detector.schema.base import Value
from detector.schema.causes.cause import Cause, join, render
from detector.schema.model import Described, Range
from detector.schema.scores import logit_of, sigmoid
from detector.segments import rules
from detector.segments.rules import is_sampled, mean_per_interval, sample_weights

_EXACT = 1e-6  # seconds and probabilities, both stored as the nearest float
_ROUNDED = 0.02  # px; boxes are rounded to hundredths before and after their median


def contradictions(analysis: Analysis, this_version: bool) -> Iterator[str]:
    """Yield descriptions of fields that do not follow from others.

    ``this_version``: whether this version of the engine made the analysis. Frame probabilities follow from
    logits by the recorded calibration. By this version's rules, smoothed probabilities, segments, confidences
    and peaks follow as well; earlier versions may have had other rules. Analyses without a recorded source
    hash are not checked.
    """
    if analysis.software.source_sha256 is None:
        return
    yield from _of_one_model(analysis, has_calibration=True, this_version=this_version)
    if this_version:
        yield from _of_statements(analysis)
    for number, other in enumerate(analysis.others, start=2):
        # Earlier versions recorded the scan's calibration even for fused logits.
        has_calibration = this_version or other.model.second_look is None
        problems = _of_one_model(
            analysis.by(other), has_calibration=has_calibration, this_version=this_version
        )
        yield from (f"by model {number}, {problem}" for problem in problems)


def _of_statements(value: Value) -> Iterator[str]:
    """Check that all sentences are those of their codes, which reports in other languages show."""
    causes: list[Cause] = []
    for name in type(value).model_fields:
        field = getattr(value, name)
        for part in field if isinstance(field, tuple) and field and isinstance(field[0], Value) else (field,):
            if isinstance(part, Cause):
                causes.append(part)
            elif isinstance(part, Value):
                yield from _of_statements(part)
    for cause in causes:
        try:
            differs = cause.text != render(cause)
        except (KeyError, TypeError, ValueError):
            differs = True
        if differs:
            yield f"the code {cause.code} and its parameters are not those of “{cause.text[:60]}”"
    if isinstance(value, Described) and (
        (value.limit_causes and tuple(cause.text for cause in value.limit_causes) != value.limits)
        or (value.domain_cause is not None and value.domain_cause.text != value.domain)
    ):
        yield "the codes of the model's limits or domain are not those of its sentences"
    if isinstance(value, Range) and value.cause is not None and value.cause.text != value.basis:
        yield f"the code of what the range of {value.name} rests on is not that of its sentence"
    reason = getattr(value, "reason", None)
    if causes and reason is not None and reason != join(causes):
        yield f"the codes of the reason “{reason[:60]}” are not those of its sentences"


def _of_one_model(analysis: Analysis, *, has_calibration: bool, this_version: bool) -> Iterator[str]:
    for person in analysis.persons:
        scores = person.scores
        segments = [item for item in analysis.segments if item.person == person.id]
        judged = ~np.isnan(scores.logit)
        if set(person.tracks) != set(scores.track.tolist()):
            yield f"tracks of person {person.id} are not those of its faces"
        if not all(np.array_equal(item, judged) for item in _known(scores)):
            yield f"a face of person {person.id} is half judged"
            continue
        if has_calibration and not _close(_probability(scores.logit, analysis), scores.probability):
            yield f"probabilities of person {person.id} do not follow from its logits"
        if not _smoothed_fits(scores, analysis, has_calibration, this_version):
            yield f"smoothed probabilities of person {person.id} do not follow from its logits"
        for segment in segments:
            yield from _of_segment(segment, scores, analysis)
        if this_version:
            yield from _by_these_rules(person, segments, analysis, has_calibration)


def _known(scores: Scores) -> tuple[NDArray[np.bool_], ...]:
    return scores.usable, ~np.isnan(scores.probability), ~np.isnan(scores.smoothed)


def _close(first: rules.Floats, second: rules.Floats) -> bool:
    return bool(np.allclose(first, second, rtol=0, atol=_EXACT, equal_nan=True))


def _probability(logits: rules.Floats, analysis: Analysis) -> rules.Floats:
    return sigmoid(logits / analysis.model.temperature)


def _tracks(scores: Scores, judged: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return for each track its indices among the ``judged`` scores."""
    track = scores.track[judged]
    return [np.flatnonzero(track == number) for number in np.unique(track)]


def _smoothed_fits(scores: Scores, analysis: Analysis, has_calibration: bool, this_version: bool) -> bool:
    """Check that smoothed probabilities are medians along tracks, or by other versions at least within
    bounds.
    """
    judged = np.flatnonzero(~np.isnan(scores.logit))
    for track in _tracks(scores, judged):
        indices = judged[track]
        smoothed, single = scores.smoothed[indices], scores.probability[indices]
        if not (single.min() - _EXACT <= smoothed.min() and smoothed.max() <= single.max() + _EXACT):
            return False
        if this_version and has_calibration:
            times, parameters = scores.time[indices], analysis.parameters
            weights = sample_weights(times, parameters.sample_rate)
            medians = rules.sliding_median(times, scores.logit[indices], parameters.median_window, weights)
            if not _close(_probability(medians, analysis), smoothed):
                return False
    return True


def _of_segment(segment: Segment, scores: Scores, analysis: Analysis) -> Iterator[str]:
    """Check that a segment begins, ends and has its peaks at scored frames, with ordered frame numbers."""
    name = f"segment {segment.id}"
    inside = _inside(segment, scores)
    times = scores.time[inside]
    bounds = (segment.start, segment.end)
    if not len(inside) or max(abs(times[0] - bounds[0]), abs(times[-1] - bounds[1])) > _EXACT:
        yield f"{name} begins or ends at no scored frame of its person"
        return
    if segment.frames != len(inside):
        yield f"{name} has {len(inside):,} scored frames, where {segment.frames:,} are told"
    media = analysis.media
    frame_count = media.frames + media.frames_undecodable + media.frames_out_of_order
    numbers = [segment.start_frame, *(peak.frame_index for peak in segment.peaks), segment.end_frame]
    recorded = [number for number in numbers if number is not None]
    few = len(recorded) == len(numbers) and recorded[-1] - recorded[0] + 1 < len(np.unique(times))
    if recorded != sorted(recorded) or few or any(number >= frame_count for number in recorded):
        yield f"numbers of frames of {name} contradict each other"
    for rank, peak in enumerate(segment.peaks, start=1):
        at = inside[scores.pts[inside] == peak.pts]
        if not any(
            max(abs(score.time - peak.time), abs((score.probability or 0.0) - peak.probability)) <= _EXACT
            and np.allclose(score.box, peak.box, rtol=0, atol=_EXACT)
            for score in (scores[int(place)] for place in at)
        ):
            yield f"peak {rank} of {name} is no scored frame of its person"


def _inside(segment: Segment, scores: Scores) -> NDArray[np.intp]:
    """Return the indices of judged scores within a segment."""
    within = (scores.time >= segment.start - _EXACT) & (scores.time <= segment.end + _EXACT)
    return np.flatnonzero(within & ~np.isnan(scores.logit))


def _by_these_rules(
    person: Person, segments: list[Segment], analysis: Analysis, has_calibration: bool
) -> Iterator[str]:
    """Check a person's segments, confidences and peaks by the rules of this version."""
    scores, parameters = person.scores, analysis.parameters
    if len(scores):
        sampled = is_sampled(scores.time, parameters.sample_rate)
        if np.abs(np.median(scores.box[sampled], axis=0) - person.median_box).max() > _ROUNDED:
            yield f"the middle place of person {person.id} is not that of its faces"
    judged = np.flatnonzero(~np.isnan(scores.logit))
    times, smoothed, logits = scores.time[judged], scores.smoothed[judged], scores.logit[judged]
    still = analysis.media.still
    opens = logit_of(parameters.enter_threshold) * analysis.model.temperature
    tracks = _tracks(scores, judged)
    intervals = rules.find_in_person(times, smoothed, logits, tracks, opens, parameters, still)
    by_bounds = {
        (float(times[interval.first]), float(times[interval.last])): interval for interval in intervals
    }
    bounds = [(segment.start, segment.end) for segment in segments]
    outweighed = still and not segments  # the other faces of a photograph outweigh one
    if not outweighed and sorted(by_bounds) != sorted(bounds):
        yield f"the segments of person {person.id} are not those that follow from its scores"
        return
    for segment in segments:
        interval = by_bounds[segment.start, segment.end]
        tops = [
            int(scores.pts[judged[place]]) for place in rules.find_peaks(times, smoothed, logits, interval)
        ]
        # A peak that was not decoded again is omitted from the analysis.
        told_tops = [peak.pts for peak in segment.peaks]
        if told_tops != [pts for pts in tops if pts in told_tops]:
            yield f"the peaks of segment {segment.id} are not those that follow from its scores"
        inside = slice(interval.first, interval.last + 1)
        level = mean_per_interval(times[inside], logits[inside], parameters.sample_rate).mean()
        if (
            has_calibration
            and abs(_confidence(level, analysis.model.segment, analysis) - segment.confidence) > _EXACT
        ):
            yield f"the confidence of segment {segment.id} does not follow from its scores"


def _confidence(level: float, platt: Platt | None, analysis: Analysis) -> float:
    return sigmoid(platt.scale * level + platt.offset if platt else level / analysis.model.temperature)
