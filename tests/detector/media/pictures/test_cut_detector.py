"""Scene cuts: noise of any strength is none, another picture is one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.media.pictures.cuts import CutDetector


@pytest.fixture(scope="module")
def pictures(astronaut: np.ndarray) -> dict[str, np.ndarray]:
    whole = cv2.resize(astronaut, (640, 360))
    return {"bright": whole, "dark": whole // 4, "grey": np.full_like(whole, 90)}


def noisy(image: np.ndarray, amplitude: int, rng: np.random.Generator) -> np.ndarray:
    """Noise in brightness, and in colour at half the size, as in compressed video."""
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.int16)
    height, width = image.shape[:2]
    planes[..., 0] += rng.integers(-amplitude, amplitude + 1, (height, width), np.int16)
    colour = rng.integers(-amplitude, amplitude + 1, (height // 2, width // 2, 2), np.int16)
    planes[..., 1:] += colour.repeat(2, axis=0).repeat(2, axis=1)
    return cv2.cvtColor(planes.clip(0, 255).astype(np.uint8), cv2.COLOR_YCrCb2RGB)


@pytest.mark.parametrize("amplitude", [10, 20, 40])
@pytest.mark.parametrize("name", ["bright", "dark", "grey"])
def test_noise_is_no_cut(pictures: dict[str, np.ndarray], name: str, amplitude: int) -> None:
    cuts, rng = CutDetector(8), np.random.default_rng(0)
    frames = [noisy(pictures[name], amplitude, rng) for _ in range(6)]
    assert not any(cuts.process_frame(frame) for frame in frames)


@pytest.mark.parametrize(("shade", "spread", "coloured"), [(1, 25, False), (8, 12, True), (20, 15, True)])
def test_film_grain_and_a_dark_phone_video_have_no_cut(
    pictures: dict[str, np.ndarray], shade: int, spread: int, coloured: bool
) -> None:
    cuts, rng = CutDetector(8), np.random.default_rng(0)
    still = (pictures["bright"] // shade).astype(float)
    for _ in range(6):
        grain = rng.normal(0, spread, still.shape if coloured else (*still.shape[:2], 1))
        assert not cuts.process_frame((still + grain).clip(0, 255).astype(np.uint8))


def test_another_picture_is_a_cut_through_noise(pictures: dict[str, np.ndarray]) -> None:
    cuts, rng = CutDetector(8), np.random.default_rng(0)
    bright, dark = pictures["bright"], pictures["dark"]
    turned = np.ascontiguousarray(bright[::-1, ::-1])
    frames = [noisy(image, 20, rng) for image in (bright, bright, turned, turned, dark, dark)]
    assert [cuts.process_frame(frame) for frame in frames] == [False, False, True, False, True, False]
