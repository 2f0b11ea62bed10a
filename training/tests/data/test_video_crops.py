"""Evenly spaced face crops of a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import HEIGHT, WIDTH, number_of, numbered, write_clip

from detector.errors import MediaError
from detector.faces.crop import Face, Landmarks
from detector.media.frame import Image
from training.data.streamed_videos import largest_crop, video_crops

POINTS: Landmarks = np.array([[60, 30], [100, 30], [80, 50], [65, 70], [95, 70]], np.float32)


def face(box: tuple[float, float, float, float], confidence: float = 0.9) -> Face:
    return Face(box, confidence, POINTS)


def remembering(seen: list[int]):
    def detect(image: Image) -> list[Face]:
        seen.append(number_of(image))
        return [face((40, 0, 130, HEIGHT))]

    return detect


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_ten_evenly_spaced_frames(tmp_path: Path, suffix: str) -> None:
    """Whether or not the container says how long it is."""
    codec, options = ("libx264", None) if suffix == ".mp4" else ("libvpx", {"crf": "10", "b": "2M"})
    clip = write_clip(
        tmp_path / f"a{suffix}",
        map(numbered, range(60)),
        codec=codec,
        options=options,
        container_options={"live": "1"} if suffix == ".webm" else None,
    )
    seen: list[int] = []
    crops = video_crops(clip, 32, detect=remembering(seen))
    assert crops.shape == (10, 32, 32, 3) and crops.dtype == np.uint8
    assert seen == list(range(0, 60, 6))


def test_fewer_frames_than_asked_for(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", map(numbered, range(4)))
    assert len(video_crops(clip, 32, detect=remembering([]))) == 4


def test_no_face(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", map(numbered, range(4)))
    assert video_crops(clip, 32, detect=lambda _: []).shape == (0, 32, 32, 3)


def test_the_largest_that_can_be_judged() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, 100:] = 200
    small, large = face((0, 0, 50, 50)), face((101, 20, 159, 80))
    unsure, tiny = face((0, 0, 99, 90), 0.6), face((0, 0, 30, 90))
    crop = largest_crop(image, lambda _: [small, large, unsure, tiny], 16)
    assert crop is not None and crop.shape == (16, 16, 3) and crop.mean() > 150
    assert largest_crop(image, lambda _: [unsure, tiny], 16) is None


def test_a_real_face(tmp_path: Path, astronaut: np.ndarray) -> None:
    clip = write_clip(tmp_path / "a.mp4", [astronaut] * 3)
    crops = video_crops(clip, 64, count=2)
    assert len(crops) == 2 and crops.std() > 20


def test_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError):
        video_crops(tmp_path / "a.mp4", 32)
