"""Film strips: which faces they take, and how these are cut out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from analyses import build

from detector.schema.analysis import Scores, Segment
from detector.segments.face_strips import FACES, cut_face, strip_scores


def test_faces_are_evenly_spaced_from_before_the_start_to_after_the_end(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1, kept=False)
    (person,), (segment,) = analysis.persons, analysis.segments
    times = [score.time for score in strip_scores(person, segment)]
    assert len(times) == FACES and times == sorted(times)
    assert times[0] < segment.start < times[1] and times[-2] < segment.end < times[-1]
    steps = np.diff(times)
    assert steps.max() - steps.min() <= 0.3  # twice the sampling interval and a little


def test_a_face_that_fills_its_segment_has_fewer_moments(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1, kept=False)
    (person,), (segment,) = analysis.persons, analysis.segments
    inside = [score for score in person.scores if segment.start <= score.time <= segment.start + 0.3]
    seen_briefly = person.model_copy(update={"scores": Scores(inside)})
    assert [score.time for score in strip_scores(seen_briefly, segment)] == sorted(
        {inside[0].time, inside[-1].time}
    )
    unseen: Segment = segment.model_copy(update={"start": 1e6, "end": 1e6 + 1})
    assert strip_scores(person, unseen) == ()


def test_the_square_around_a_face_stays_inside_the_picture() -> None:
    picture = np.arange(100 * 200 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 200, 3)
    assert cut_face(picture, (80, 30, 100, 50)).shape == (36, 36, 3)
    corner = cut_face(picture, (190, 90, 210, 110))
    assert corner.shape == (36, 36, 3) and np.array_equal(corner, picture[64:, 164:])
    large = np.zeros((1000, 1000, 3), np.uint8)
    assert cut_face(large, (100, 100, 900, 900)).shape == (256, 256, 3)
