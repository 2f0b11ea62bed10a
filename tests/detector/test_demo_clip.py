"""The demonstration clip: the same bytes wherever it is made, and altered where it says."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from detector import demo_clip as recipe
from detector.faces.search.networks import FaceDetector
from detector.media.open import open_media


def test_clip_properties(sample: Path) -> None:
    with open_media(sample) as reader:
        frames = list(reader.frames(1.0))
        assert (reader.width, reader.height) == recipe.SIZE == (1280, 720)
        assert reader.duration == recipe.SECONDS == 9
        assert (reader.tally.decoded, reader.tally.undecodable) == (225, 0)
        assert not reader.variable_frame_rate and not reader.has_sound
        assert [frame.time for frame in frames] == [Fraction(i) for i in range(9)]
    assert sample.stat().st_size < 5_000_000


def test_two_usable_faces_throughout(sample: Path) -> None:
    detector = FaceDetector()
    with open_media(sample) as reader:
        for frame in reader.frames(1.0):
            left, right = sorted(detector(frame.image), key=lambda face: face.box[0])
            assert left.box[2] < 640 < right.box[0]
            assert min(left.width, right.width) > 100


def test_only_the_left_face_is_altered() -> None:
    collins, hopper = recipe.portraits()
    blended = recipe.swap_face(collins, hopper)
    (face,) = FaceDetector()(collins)
    x0, y0, x1, y1 = face.box
    changed = np.abs(blended.astype(int) - collins).sum(axis=2) > 0
    rows, columns = np.nonzero(changed)
    wide, tall = x1 - x0, y1 - y0
    assert columns.min() > x0 - 0.3 * wide and columns.max() < x1 + 0.3 * wide
    assert rows.min() > y0 - 0.3 * tall and rows.max() < y1 + 0.3 * tall
    assert changed[round(y0) : round(y1), round(x0) : round(x1)].mean() > 0.5
    assert np.array_equal(blended, recipe.swap_face(collins, hopper))


def test_altered_interval_is_as_documented() -> None:
    assert recipe.MANIPULATED == (3.0, 6.0)


@pytest.mark.slow
def test_bytes_are_reproducible(sample: Path, tmp_path: Path) -> None:
    recipe.make_sample(tmp_path / "again.mp4")
    first, second = (hashlib.sha256(p.read_bytes()).digest() for p in (sample, tmp_path / "again.mp4"))
    assert first == second
