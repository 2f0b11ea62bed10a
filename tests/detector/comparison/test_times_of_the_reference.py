"""Published times lie within the reference, and the exhibit's are those of them."""

from __future__ import annotations

import numpy as np
import pytest

from detector.comparison.result import find_gaps, time_pieces
from detector.comparison.similarity import StripPiece
from detector.comparison.strips import Strip
from detector.comparison.time_map import TimeMap
from detector.schema.analysis import MediaKind
from detector.schema.comparison import ComparedFile, TimePiece

RATE = 25
SIZE = (240, 136)


def strip(count: int) -> Strip:
    return Strip(np.arange(count), np.arange(count) / RATE, np.zeros((count, 8, 8), np.uint8), SIZE)


def file(count: int) -> ComparedFile:
    return ComparedFile(
        file="a.mp4",
        bytes=1,
        sha256="0" * 64,
        kind=MediaKind.VIDEO,
        width=SIZE[0],
        height=SIZE[1],
        duration=count / RATE,
        frame_rate=f"{RATE}/1",
    )


def published(offset: float, first: int, last: int) -> tuple[TimePiece, list[tuple[str, float, float]]]:
    """The one piece and the gaps of an exhibit of 200 frames against a reference of 100."""
    seen, known = strip(200), strip(100)
    times = TimeMap((StripPiece(first, last, 1.0, offset, 0.02, 0.9),), np.zeros(200, np.intp))
    (piece,) = time_pieces(seen, known, times)
    return piece, [
        (gap.file, gap.start, gap.end) for gap in find_gaps(file(200), file(100), seen, known, times)
    ]


def test_times_lie_within_the_reference() -> None:
    """Its 100 frames are the 50th to the 149th of the exhibit; two more on each side count as it."""
    piece, left = published(-50 / RATE, 48, 151)
    assert (piece.exhibit.start, piece.exhibit.end) == pytest.approx((50 / RATE, 149 / RATE))
    assert (piece.reference.start, piece.reference.end) == pytest.approx((0.0, 99 / RATE))
    assert piece.frames == 100
    assert left == [
        ("exhibit", 0.0, pytest.approx(50 / RATE)),
        ("exhibit", pytest.approx(149 / RATE), pytest.approx(200 / RATE)),
    ]


def test_times_within_half_a_frame_are_kept() -> None:
    piece, _ = published(0.4 / RATE, 0, 99)
    assert (piece.exhibit.start, piece.exhibit.end) == pytest.approx((0.0, 99 / RATE))
    assert (piece.reference.start, piece.reference.end) == pytest.approx((0.4 / RATE, 99 / RATE))


def test_held_last_frame_is_no_gap() -> None:
    """The exhibit's last 110 frames show the reference, the last of them its last frame eleven times."""
    piece, left = published(-90 / RATE, 90, 199)
    assert piece.frames == 100 and piece.reference.end == pytest.approx(99 / RATE)
    assert left == [("exhibit", 0.0, pytest.approx(90 / RATE))]
