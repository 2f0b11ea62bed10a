"""Where compared faces differ from the reference: persons, and the segments of their time."""

from __future__ import annotations

import numpy as np

from detector.comparison import statements
from detector.comparison.persons import ComparedFace, PersonTracker
from detector.schema.analysis import MediaKind, Parameters
from detector.schema.boxes import rounded
from detector.schema.comparison import (
    ComparedPerson,
    ComparedSegment,
    ComparisonParameters,
    FaceDifference,
)
from detector.schema.formatting import name_of
from detector.schema.logistic import sigmoid
from detector.segments import rules

_CLEARLY = 0.5  # log, by which faces of a segment differ more than their surroundings: 1.3 times as much


def find_segments(
    tracker: PersonTracker, parameters: ComparisonParameters
) -> tuple[tuple[ComparedPerson, ...], tuple[ComparedSegment, ...]]:
    """Persons, and the segments in which their faces differ, and clearly more than their surroundings."""
    rule = Parameters(
        sample_rate=parameters.sample_rate,
        enter_threshold=parameters.enter_threshold,
        exit_threshold=parameters.exit_threshold,
        merge_gap=parameters.merge_gap,
        minimum_duration=parameters.minimum_duration,
    )
    found_persons, found_segments = [], []
    for rank, group in enumerate(tracker.people()):
        name = name_of(rank)
        faces = sorted((face for face in tracker.faces if face.track in group), key=lambda face: face.at.time)
        smoothed = _smoothed(faces, parameters)
        intervals = [
            one
            for one in _intervals(faces, smoothed, rule, tracker.kind)
            if _stands_out(faces[one.first : one.last + 1])
        ]
        segments = [
            _segment(f"{name}{number}", name, faces, smoothed, one)
            for number, one in enumerate(intervals, start=1)
        ]
        found_segments += segments
        found_persons.append(_person(name, faces, smoothed, segments))
    return tuple(found_persons), tuple(found_segments)


def _smoothed(faces: list[ComparedFace], parameters: ComparisonParameters) -> rules.Floats:
    """Probabilities after the sliding median along each track."""
    out = np.empty(len(faces))
    tracks = np.array([face.track for face in faces])
    for number in np.unique(tracks):
        own = np.flatnonzero(tracks == number)
        times = np.array([faces[at].at.time for at in own])
        logits = np.array([faces[at].measure.logit for at in own])
        medians = rules.sliding_median(times, logits, parameters.median_window)
        out[own] = [sigmoid(one) for one in medians]
    return out


def _intervals(
    faces: list[ComparedFace], smoothed: rules.Floats, rule: Parameters, kind: MediaKind
) -> list[rules.IndexRange]:
    if kind is MediaKind.IMAGE:
        over = np.flatnonzero(smoothed >= rule.enter_threshold).tolist()
        return [rules.IndexRange(at, at) for at in over]
    times = np.array([face.at.time for face in faces])
    tracks = np.array([face.track for face in faces])
    along = []
    for number in np.unique(tracks):
        along += rules.find_in_track(times, smoothed, np.flatnonzero(tracks == number), rule)
    return rules.merged(times, sorted(along, key=lambda one: one.first), rule.merge_gap)


def _stands_out(faces: list[ComparedFace]) -> bool:
    """Whether faces differ more than what is around them, which is the control.

    Where that rises with them, frames were matched badly or the whole picture was changed.
    """
    beyond = [face.measure.difference - face.measure.surroundings for face in faces]
    return float(np.mean(beyond)) >= _CLEARLY


def _segment(
    name: str, person: str, faces: list[ComparedFace], smoothed: rules.Floats, interval: rules.IndexRange
) -> ComparedSegment:
    inside = faces[interval.first : interval.last + 1]
    times = np.array([face.at.time for face in faces])
    raw = np.array([face.measure.logit for face in faces])
    first, last = inside[0].at, inside[-1].at
    segment = ComparedSegment(
        id=name,
        person=person,
        start=first.time,
        end=last.time,
        reference_start=first.reference_time,
        reference_end=last.reference_time,
        confidence=sigmoid(float(np.mean([face.measure.logit for face in inside]))),
        difference=float(np.mean([face.measure.difference for face in inside])),
        surroundings=float(np.mean([face.measure.surroundings for face in inside])),
        frames=len(inside),
        peaks=tuple(
            faces[at].at.as_peak(faces[at].box) for at in rules.peaks(times, smoothed, raw, interval)
        ),
        statement="",
    )
    return segment.model_copy(update={"statement": statements.of_segment(segment)})


def _person(
    name: str, faces: list[ComparedFace], smoothed: rules.Floats, segments: list[ComparedSegment]
) -> ComparedPerson:
    boxes = np.array([face.box for face in faces])
    level = float(np.mean([face.measure.logit for face in faces]))
    strongest = max((segment.confidence for segment in segments), default=sigmoid(level))
    return ComparedPerson(
        id=name,
        median_box=rounded(np.median(boxes, axis=0)),
        frames=len(faces),
        probability=strongest,
        differences=tuple(
            FaceDifference(
                time=face.at.time,
                reference_time=face.at.reference_time,
                pts=face.at.pts,
                reference_pts=face.at.reference_pts,
                box=rounded(face.box),
                difference=face.measure.difference,
                surroundings=face.measure.surroundings,
                probability=sigmoid(face.measure.logit),
                smoothed=float(smooth),
            )
            for face, smooth in zip(faces, smoothed, strict=True)
        ),
    )
