"""Pictures on a canvas of another shape."""

from __future__ import annotations

import numpy as np
import pytest

from detector.media.frame import Size, fit_size, place_on_canvas


@pytest.mark.parametrize(
    ("size", "canvas", "wanted"),
    [
        ((160, 90), (160, 90), (160, 90)),
        ((160, 90), (1280, 720), (1280, 720)),
        ((1280, 720), (160, 90), (160, 90)),
        ((720, 1280), (1280, 1280), (720, 1280)),
        ((1280, 720), (720, 1280), (720, 405)),
        ((854, 480), (1280, 720), (1280, 720)),  # 719.4
        ((9000, 1), (90, 90), (90, 1)),
    ],
)
def test_a_picture_keeps_its_shape(size: Size, canvas: Size, wanted: Size) -> None:
    assert fit_size(size, canvas) == wanted


def test_picture_is_centred_on_black() -> None:
    image = np.full((2, 6, 3), 200, np.uint8)
    whole = place_on_canvas(image, (6, 6))
    assert whole.shape == (6, 6, 3)
    assert (whole[2:4] == 200).all() and not whole[:2].any() and not whole[4:].any()
    assert place_on_canvas(image, (6, 2)) is image
