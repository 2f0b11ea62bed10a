"""What only resembles the reference: short pieces that stand alone, and faces like their surroundings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np

from detector.comparison.face_differences import ComparedFace, ComparedTimes, FaceMeasure, PersonTracker
from detector.comparison.result import find_segments
from detector.comparison.similarity import StripPiece
from detector.comparison.time_map import _within, _without_scraps
from detector.schema.analysis import MediaKind
from detector.schema.comparison import ComparisonParameters

RATE = 25


def piece(first: int, last: int, offset: float, uncertainty: float = 0.02) -> StripPiece:
    return StripPiece(first, last, 1.0, offset, uncertainty, 0.9)


def test_isolated_short_pieces_are_dropped() -> None:
    times = np.arange(200) / RATE
    long, far, goes_on = piece(20, 80, 0.5), piece(100, 108, -3.0, 0.25), piece(85, 90, 0.52)
    goes_on_further = piece(95, 98, 0.48)
    assert _without_scraps([long, goes_on, goes_on_further, far], times, times) == [
        long,
        goes_on,
        goes_on_further,
    ]
    before = piece(5, 10, 0.5)
    assert _without_scraps([before, long], times, times) == [before, long]


def test_exhibit_shorter_than_the_minimum_is_one_piece() -> None:
    times = np.arange(200) / RATE
    for only in (piece(0, 7, 2.0), piece(0, 0, 2.0)):
        assert _without_scraps([only], times[: only.last + 1], times) == [only]


def test_frames_after_the_reference_do_not_match() -> None:
    """Unless its last one is held on."""
    seen, known = np.arange(200) / RATE, np.arange(100) / RATE
    matched = piece(60, 180, -60 / RATE, 0.1)
    held = np.zeros(200, bool)
    assert _within(matched, seen, known, held).last == 162
    held[159:181] = True
    assert _within(matched, seen, known, held).last == 180


def segments_of(difference: float, surroundings: float) -> int:
    """How many segments faces make that certainly differ, two seconds long, beside such surroundings."""
    measure = FaceMeasure(difference, surroundings, 2.0, ())
    faces = [
        ComparedFace(1, ComparedTimes(at / 8, at / 8, at, at), (10.0, 10.0, 60.0, 60.0), measure)
        for at in range(16)
    ]
    tracker = SimpleNamespace(people=lambda: [[1]], faces=faces, kind=MediaKind.VIDEO)
    _, segments = find_segments(cast(PersonTracker, tracker), ComparisonParameters())
    return len(segments)


def test_face_differing_like_its_surroundings_is_no_segment() -> None:
    """Frames were matched badly there: what differs is not the face."""
    assert segments_of(2.5, 0.3) == 1
    assert segments_of(-0.3, 0.6) == segments_of(0.7, 0.6) == 0
