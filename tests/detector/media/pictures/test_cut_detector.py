"""Detection of scene cuts, also in noise."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from painted_faces import portrait

from detector.faces.scene_changes import CutDetector


@pytest.fixture(scope="module")
def pictures(astronaut: np.ndarray) -> dict[str, np.ndarray]:
    whole = cv2.resize(astronaut, (640, 360))
    return {"bright": whole, "dark": whole // 4, "grey": np.full_like(whole, 90)}


def add_noise(image: np.ndarray, amplitude: int, rng: np.random.Generator) -> np.ndarray:
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
    frames = [add_noise(pictures[name], amplitude, rng) for _ in range(6)]
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


def test_cut_is_detected_through_noise(pictures: dict[str, np.ndarray]) -> None:
    cuts, rng = CutDetector(8), np.random.default_rng(0)
    bright, dark = pictures["bright"], pictures["dark"]
    turned = np.ascontiguousarray(bright[::-1, ::-1])
    frames = [add_noise(image, 20, rng) for image in (bright, bright, turned, turned, dark, dark)]
    assert [cuts.process_frame(frame) for frame in frames] == [False, False, True, False, True, False]


class TestCuts:
    @staticmethod
    def found(pictures: list[np.ndarray], rate: float = 8.0) -> list[int]:
        detector = CutDetector(rate)
        return [i for i, picture in enumerate(pictures) if detector.process_frame(picture)]

    @staticmethod
    def shot(look: int, count: int) -> list[np.ndarray]:
        """A shot of a moving camera over one picture."""
        wide = cv2.resize(portrait(look), (800, 450), interpolation=cv2.INTER_CUBIC)
        return [np.ascontiguousarray(wide[4 * i : 4 * i + 360, 6 * i : 6 * i + 640]) for i in range(count)]

    @pytest.mark.parametrize("rate", [1.0, 8.0, 25.0])
    def test_at_the_first_frame_of_each_shot(self, rate: float) -> None:
        pictures = self.shot(1, 10) + self.shot(2, 5) + self.shot(3, 1) + self.shot(4, 8)
        assert self.found(pictures, rate) == [10, 15, 16]

    def test_no_cut_in_a_steady_shot(self) -> None:
        assert self.found(self.shot(1, 20)) == []

    def test_no_cut_at_the_start(self) -> None:
        assert self.found(self.shot(1, 1)) == []

    def test_change_of_shape_begins_a_new_scene(self) -> None:
        wide, tall = self.shot(1, 4), [np.ascontiguousarray(p[:, :300]) for p in self.shot(1, 4)]
        assert self.found(wide + tall + wide) == [4, 8]

    @pytest.mark.parametrize("shape", [(1, 1), (2000, 10), (10, 2000)])
    def test_odd_shapes(self, shape: tuple[int, int]) -> None:
        black, white = (np.full((*shape, 3), value, np.uint8) for value in (0, 255))
        assert self.found([black, black, white, white]) == [2]
