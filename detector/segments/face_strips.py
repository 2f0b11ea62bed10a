"""Film strips: faces evenly spaced over a segment, from just before its start to just after its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from detector.explain.overlays import write_png
from detector.media.frame import Image
from detector.media.prefetch import prefetch
from detector.media.reader import MediaReader
from detector.schema.analysis import Analysis, Person, Segment, StripFace
from detector.schema.scores import Box, Score

FACES = 6
_MOST = 12  # segments with a strip, those of the highest confidence: each costs six seeks in the file
_BEYOND = 0.1  # of a segment's length, how far the strip reaches beyond it
_LEAST, _FURTHEST = 0.15, 1.0  # seconds, the same: more than a sampling interval, and not another scene
_ROOM = 1.8  # side of a picture in sizes of the face's box, as in reports
_SIDE = 256  # px


def with_strips(
    analysis: Analysis, flagged: Sequence[Segment], reader: MediaReader, images: Path | None
) -> Analysis:
    """Return the analysis with a film strip of each ``flagged`` segment, pictured below ``images``.

    Frames are read again from ``reader``. A photograph and an analysis without pictures stay as they are.
    """
    if images is None or analysis.media.still:
        return analysis
    chosen = sorted(flagged, key=lambda segment: -segment.confidence)[:_MOST]
    persons = {person.id: person for person in analysis.persons}
    scores = {segment.id: strip_scores(persons[segment.person], segment) for segment in chosen}
    pictures = _pictures(scores, reader, images)
    segments = tuple(
        segment.model_copy(update={"strip": _strip(segment.id, scores.get(segment.id, ()), pictures)})
        for segment in analysis.segments
    )
    return analysis.model_copy(update={"segments": segments})


def strip_scores(person: Person, segment: Segment) -> tuple[Score, ...]:
    """Return at most :data:`FACES` scores of ``person``, evenly spaced over ``segment`` and its surroundings.

    Each is the score nearest to its moment; where the face is not seen, fewer remain.
    """
    beyond = min(_FURTHEST, max(_LEAST, _BEYOND * (segment.end - segment.start)))
    times = person.scores.time
    within = np.flatnonzero((times >= segment.start - 2 * beyond) & (times <= segment.end + 2 * beyond))
    if not len(within):
        return ()
    moments = np.linspace(segment.start - beyond, segment.end + beyond, FACES)
    nearest = {int(within[np.abs(times[within] - moment).argmin()]) for moment in moments}
    return tuple(person.scores[index] for index in sorted(nearest))


def _name(segment: str, number: int) -> str:
    return f"overlays/{segment}-strip-{number}.png"


def _pictures(scores: dict[str, tuple[Score, ...]], reader: MediaReader, images: Path) -> set[str]:
    """Write the pictures of the faces; return their paths relative to ``images``."""
    by_pts: dict[int, list[tuple[str, Box]]] = {}
    for segment, faces in scores.items():
        for number, face in enumerate(faces, 1):
            by_pts.setdefault(face.pts, []).append((_name(segment, number), face.box))
    written = set()
    with prefetch(reader.at(set(by_pts)), 1) as frames:
        for frame in frames:
            for path, box in by_pts.get(frame.pts, ()):
                (images / path).parent.mkdir(parents=True, exist_ok=True)
                write_png(images / path, cut_face(frame.image, box))
                written.add(path)
    return written


def _strip(segment: str, scores: Sequence[Score], pictures: set[str]) -> tuple[StripFace, ...]:
    # A frame that was not decoded again is omitted.
    return tuple(
        StripFace(
            time=score.time, pts=score.pts, probability=score.probability, picture=_name(segment, number)
        )
        for number, score in enumerate(scores, 1)
        if _name(segment, number) in pictures
    )


def cut_face(image: Image, box: Box) -> Image:
    """Return the square around the face at ``box`` of ``image`` (RGB), at most 256 px wide."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    side = min(_ROOM * max(x1 - x0, y1 - y0), width, height)
    left = round(min(max((x0 + x1 - side) / 2, 0.0), width - side))
    top = round(min(max((y0 + y1 - side) / 2, 0.0), height - side))
    part = image[top : top + max(1, round(side)), left : left + max(1, round(side))]
    if part.shape[1] > _SIDE:
        part = cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(part)
