"""Build the published result of a comparison: files, time map, gaps, transform, segments and regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from detector.comparison import statements
from detector.comparison.face_differences import ComparedFace, ComparedTimes, PersonTracker
from detector.comparison.refine import Refined
from detector.comparison.region_differences import FoundRegion
from detector.comparison.strips import Floats, Strip
from detector.comparison.time_map import TimeMap
from detector.files import hash_file
from detector.media.reader import MediaReader
from detector.schema.analysis import Box, MediaKind, Parameters
from detector.schema.causes.comparisons import GapCode
from detector.schema.comparison import (
    ComparedFile,
    ComparedPerson,
    ComparedSegment,
    ComparisonParameters,
    FaceDifference,
    Interval,
    Region,
    TimePiece,
    Transform,
    UnmatchedInterval,
)
from detector.schema.formatting import person_letters, printable_name
from detector.schema.scores import round_box, sigmoid
from detector.segments import rules

_CLEARLY = 0.5  # minimum log by which faces differ more than their surroundings: a factor of 1.3


def find_segments(
    tracker: PersonTracker, parameters: ComparisonParameters
) -> tuple[tuple[ComparedPerson, ...], tuple[ComparedSegment, ...]]:
    """Find persons and the segments in which their faces differ clearly more than their surroundings."""
    own = parameters.model_dump(exclude={"minimum_face", "median_window"})
    rule = Parameters(**own, edge_level=0.0)
    found_persons, found_segments = [], []
    for rank, group in enumerate(tracker.people()):
        name = person_letters(rank)
        faces = sorted((face for face in tracker.faces if face.track in group), key=lambda face: face.at.time)
        smoothed = _smoothed(faces, parameters)
        intervals = [
            interval
            for interval in _intervals(faces, smoothed, rule, tracker.kind)
            if _stands_out(faces[interval.first : interval.last + 1])
        ]
        segments = [
            _segment(f"{name}{number}", name, faces, smoothed, interval)
            for number, interval in enumerate(intervals, start=1)
        ]
        found_segments += segments
        found_persons.append(_person(name, faces, smoothed, segments))
    return tuple(found_persons), tuple(found_segments)


def _smoothed(faces: list[ComparedFace], parameters: ComparisonParameters) -> rules.Floats:
    """Return probabilities after the sliding median along each track."""
    out = np.empty(len(faces))
    tracks = np.array([face.track for face in faces])
    for number in np.unique(tracks):
        indices = np.flatnonzero(tracks == number)
        times = np.array([faces[at].at.time for at in indices])
        logits = np.array([faces[at].measure.logit for at in indices])
        medians = rules.sliding_median(times, logits, parameters.median_window)
        out[indices] = [sigmoid(logit) for logit in medians]
    return out


def _intervals(
    faces: list[ComparedFace], smoothed: rules.Floats, rule: Parameters, kind: MediaKind
) -> list[rules.IndexRange]:
    if kind is MediaKind.IMAGE:
        indices = np.flatnonzero(smoothed >= rule.enter_threshold).tolist()
        return [rules.IndexRange(at, at) for at in indices]
    times = np.array([face.at.time for face in faces])
    tracks = np.array([face.track for face in faces])
    intervals = []
    for number in np.unique(tracks):
        intervals += rules.find_in_track(times, smoothed, np.flatnonzero(tracks == number), rule)
    return rules.merge_intervals(
        times, sorted(intervals, key=lambda interval: interval.first), rule.merge_gap
    )


def _stands_out(faces: list[ComparedFace]) -> bool:
    """Check whether faces differ more than their surroundings, the control.

    If the surroundings differ as much, frames were matched badly or the whole picture was changed.
    """
    differences = [face.measure.difference - face.measure.surroundings for face in faces]
    return float(np.mean(differences)) >= _CLEARLY


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
            faces[at].at.as_peak(faces[at].box) for at in rules.find_peaks(times, smoothed, raw, interval)
        ),
        statement="",
    )
    cause = statements.segment_statement(segment)
    return segment.model_copy(update={"statement": cause.text, "cause": cause})


def _person(
    name: str, faces: list[ComparedFace], smoothed: rules.Floats, segments: list[ComparedSegment]
) -> ComparedPerson:
    boxes = np.array([face.box for face in faces])
    level = float(np.mean([face.measure.logit for face in faces]))
    strongest = max((segment.confidence for segment in segments), default=sigmoid(level))
    return ComparedPerson(
        id=name,
        median_box=round_box(np.median(boxes, axis=0)),
        frames=len(faces),
        probability=strongest,
        differences=tuple(
            FaceDifference(
                time=face.at.time,
                reference_time=face.at.reference_time,
                pts=face.at.pts,
                reference_pts=face.at.reference_pts,
                box=round_box(face.box),
                difference=face.measure.difference,
                surroundings=face.measure.surroundings,
                probability=sigmoid(face.measure.logit),
                smoothed=float(smooth),
            )
            for face, smooth in zip(faces, smoothed, strict=True)
        ),
    )


_FRAMES = 2.5  # shorter gaps are ignored


def file_facts(reader: MediaReader, strip: Strip, name: str, path: Path) -> ComparedFile:
    """Return the facts of one file that was read to the end."""
    size, digest = hash_file(path)
    rate = reader.frame_rate
    return ComparedFile(
        file=printable_name(name),
        bytes=size,
        sha256=digest,
        kind=reader.kind,
        width=strip.size[0],
        height=strip.size[1],
        duration=float(reader.duration),
        frame_rate=f"{rate.numerator}/{rate.denominator}" if rate else None,
    )


def time_pieces(seen: Strip, known: Strip, times: TimeMap) -> Iterator[TimePiece]:
    """Return the pieces of a time map in seconds, within the reference.

    A piece may extend beyond the reference's first or last frame if that frame is repeated, or by the error
    of its line.
    """
    for piece in times.pieces:
        exhibit_times = seen.times[piece.first : piece.last + 1]
        reference_times = piece.speed * exhibit_times + piece.offset
        slack = min(piece.uncertainty, known.interval)  # half a frame, or one if the line is uncertain
        inside = (reference_times >= known.times[0] - slack) & (reference_times <= known.times[-1] + slack)
        if inside.any():
            exhibit_times, reference_times = exhibit_times[inside], reference_times[inside]
        reference_times = reference_times.clip(known.times[0], known.times[-1])
        yield TimePiece(
            exhibit=Interval(start=float(exhibit_times[0]), end=float(exhibit_times[-1])),
            reference=Interval(start=float(reference_times[0]), end=float(reference_times[-1])),
            speed=piece.speed,
            uncertainty=piece.uncertainty,
            frames=len(exhibit_times),
            agreement=min(1.0, piece.similarity),  # name in the published schema
        )


def find_gaps(
    seen_file: ComparedFile, known_file: ComparedFile, seen: Strip, known: Strip, times: TimeMap
) -> Iterator[UnmatchedInterval]:
    """Find parts of more than a frame or two that only one file has."""
    if seen_file.kind is MediaKind.IMAGE:
        return
    pieces = list(time_pieces(seen, known, times))
    # Repeated first or last frames of the reference are not a gap, although their times are outside it.
    firsts = [*(float(seen.times[piece.first]) for piece in times.pieces), seen_file.duration]
    lasts = [0.0, *(float(seen.times[piece.last]) for piece in times.pieces)]
    ends = [0.0, *(piece.exhibit.end for piece in pieces)]
    starts = [*(piece.exhibit.start for piece in pieces), seen_file.duration]
    for first, last, start, end in zip(firsts, lasts, ends, starts, strict=True):
        if first - last > _FRAMES * seen.interval:
            cause = GapCode.ONLY_IN_EXHIBIT.cause()
            yield UnmatchedInterval(file="exhibit", start=start, end=end, cause=cause)
    reference_intervals = sorted((piece.reference.start, piece.reference.end) for piece in pieces)
    minimum = _FRAMES * max(seen.interval, known.interval)
    at = 0.0
    for start, end in [*reference_intervals, (known_file.duration, known_file.duration)]:
        if start - at > minimum:
            code = GapCode.LEFT_OUT
            if at == 0.0:
                code = GapCode.BEFORE_EXHIBIT
            elif start == known_file.duration:
                code = GapCode.AFTER_EXHIBIT
            yield UnmatchedInterval(file="reference", start=at, end=start, cause=code.cause())
        at = max(at, end)


def describe_transform(refined: Refined, seen: tuple[int, int], known: tuple[int, int]) -> Transform:
    """Describe the refined view; ``seen`` and ``known`` are the sizes of both files' frames."""
    view = refined.view
    matrix = view.matrix
    (a, b, c), (d, e, f) = matrix.tolist()
    inverse = cv2.invertAffineTransform(matrix)
    across, down = (float(np.linalg.norm(matrix[:, axis])) for axis in (0, 1))
    return Transform(
        matrix=((a, b, c), (d, e, f)),
        scale=view.scale,
        stretch=down / across,
        rotation=view.rotation,
        mirror=view.mirrored,
        crop=_shared(matrix, seen, known),
        shown=_within(_shared(inverse, known, seen), refined.shown),
        uncertainty=refined.error,
        agreement=min(1.0, refined.similarity),
    )


def _shared(matrix: Floats, size: tuple[int, int], reference_size: tuple[int, int]) -> Box:
    """Return the part of the reference that a picture of ``size``, warped by ``matrix``, covers."""
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix.T
    low = np.clip(corners.min(axis=0), 0, reference_size)
    high = np.clip(corners.max(axis=0), 0, reference_size)
    x0, y0, x1, y1 = (round(float(v), 2) for v in (*low, *high))
    return x0, y0, x1, y1


def _within(first: Box, second: Box) -> Box:
    x0, y0 = (max(first[axis], second[axis]) for axis in (0, 1))
    return x0, y0, max(x0, min(first[2], second[2])), max(y0, min(first[3], second[3]))


def build_region(pairs: Sequence[ComparedTimes], number: int, region_found: FoundRegion) -> Region:
    """Build one published region; ``pairs`` are the times of all compared frames."""
    first, last, peak = (pairs[at] for at in (region_found.first, region_found.last, region_found.strongest))
    published = Region(
        id=f"R{number}",
        box=round_box(region_found.box),
        start=first.time,
        end=last.time,
        difference=region_found.level,
        frames=region_found.last - region_found.first + 1,
        peaks=(peak.as_peak(region_found.box),),
        statement="",
    )
    cause = statements.region_statement(published)
    return published.model_copy(update={"statement": cause.text, "cause": cause})
