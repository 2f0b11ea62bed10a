"""The two framings of a face, and the patches from which they are cut."""

from __future__ import annotations

import numpy as np
import pytest

from detector.faces.crop import HEAD_PER_BOX, head_square
from detector.faces.patch import cut_patch, decode_jpeg, encode_jpeg


def test_head_square_is_inside_the_picture() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        width, height = (int(side) for side in rng.integers(40, 400, 2))
        x, y = rng.uniform(-20, width), rng.uniform(-20, height)
        box = (x, y, x + rng.uniform(5, 300), y + rng.uniform(5, 300))
        square = head_square(box, width, height, rng.uniform(0.8, 1.1), *rng.normal(0, 0.1, 2))
        half = square.side / 2 - 1e-6
        assert half <= square.x <= width - half
        assert half <= square.y <= height - half
        assert square.angle == 0


def test_head_square_is_centred_if_there_is_room() -> None:
    square = head_square((180, 170, 220, 230), 400, 400)
    assert (square.x, square.y) == (200, 200)
    assert square.side == pytest.approx(HEAD_PER_BOX * np.sqrt(40 * 60))


def test_patch_contains_the_head_square_at_the_edge_of_a_frame() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (300, 300, 3), np.uint8)
    box = (2.0, 5.0, 62.0, 85.0)
    cut, moved, scale = cut_patch(image, box)
    assert scale == 1
    whole, part = head_square(box, 300, 300), head_square(moved, cut.shape[1], cut.shape[0])
    assert part.side == pytest.approx(whole.side)
    x, y = box[0] - moved[0], box[1] - moved[1]
    assert (part.x + x, part.y + y) == pytest.approx((whole.x, whole.y))
    np.testing.assert_array_equal(cut, image[int(y) : int(y) + cut.shape[0], int(x) : int(x) + cut.shape[1]])


def test_a_large_face_is_stored_smaller_with_its_box() -> None:
    cut, moved, scale = cut_patch(np.zeros((1200, 1200, 3), np.uint8), (300.0, 300.0, 900.0, 900.0))
    assert max(cut.shape) == 480
    assert moved[2] - moved[0] == pytest.approx(600 * scale)


def test_encoding_changes_a_patch_little() -> None:
    y, x = np.mgrid[:90, :70]
    image = np.dstack([x * 2, y * 2, x + y]).astype(np.uint8)
    assert np.abs(decode_jpeg(encode_jpeg(image)).astype(int) - image).max() <= 6
