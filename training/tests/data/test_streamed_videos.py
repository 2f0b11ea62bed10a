"""Training from videos as they are decoded: order, balance, memory, and what is left out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from clips import write_clip
from torch.utils.data import DataLoader

from detector.faces.crop import Face
from detector.media.frame import Image
from training.data import streamed_videos
from training.data.labelled_sets import DataSetError, Item, read_set
from training.data.streamed_videos import StreamedVideos, VideoSkippedWarning, _augment

SIZE = 32
FRAMES = 6
POINTS = np.array([[60, 30], [100, 30], [80, 50], [65, 70], [95, 70]], np.float32)


def whole(image: Image) -> list[Face]:
    """A detector to which every frame that is not dark is one face."""
    return [Face((30.0, 0.0, 130.0, 96.0), 0.9, POINTS)] if image.mean() > 15 else []


def grey(path: Path, level: int, frames: int = FRAMES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_clip(path, [np.full((96, 160, 3), level, np.uint8)] * frames)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four real clips of levels 40 to 100 and two manipulated ones of 160 and 180."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(4):
        grey(folder / "real" / "some" / "where" / f"r{number}.mp4", 40 + 20 * number)
    for number in range(2):
        grey(folder / "fake" / f"f{number}.mp4", 160 + 20 * number)
    return folder


def items(folder: Path) -> list[Item]:
    return read_set(folder, (1, 0, 0))


def stream(folder: Path, **other: object) -> StreamedVideos:
    options = {"sample_rate": 25.0, "detect": whole, "augment": False, "buffer": 8} | other
    return StreamedVideos(items(folder), SIZE, 1, **options)  # type: ignore[arg-type]


def levels(examples: Iterable[tuple[torch.Tensor, float]]) -> list[int]:
    """Each example's clip, told by its level."""
    return [20 * round(crop.float().mean().item() / 20) for crop, _ in examples]


def test_every_crop_comes_and_classes_are_even(folder: Path) -> None:
    """The manipulated clips come twice, because there are half as many."""
    examples = list(stream(folder))
    assert len(examples) == 8 * FRAMES
    assert all(crop.shape == (3, SIZE, SIZE) and crop.dtype == torch.uint8 for crop, _ in examples)
    assert sum(label for _, label in examples) == 4 * FRAMES
    seen = levels(examples)
    assert {level: seen.count(level) for level in set(seen)} == {
        **dict.fromkeys((40, 60, 80, 100), FRAMES),
        **dict.fromkeys((160, 180), 2 * FRAMES),
    }
    assert all((level >= 160) == bool(label) for level, (_, label) in zip(seen, examples, strict=True))


def test_neighbours_come_from_several_videos(folder: Path) -> None:
    seen = levels(stream(folder, buffer=16))
    alike = np.mean([a == b for a, b in zip(seen, seen[1:], strict=False)])
    assert alike < 0.5
    assert all(len(set(seen[i : i + 12])) >= 3 for i in range(0, 36, 12))


def test_by_seed_and_epoch_alone(folder: Path) -> None:
    def run(epoch: int) -> list[bytes]:
        examples = stream(folder, augment=True, sample_rate=8.0)
        examples.set_epoch(epoch)
        return [crop.numpy().tobytes() for crop, _ in examples]

    assert run(0) == run(0)
    assert run(0) != run(1)


def test_a_long_video_is_sampled_more_thinly(tmp_path: Path) -> None:
    grey(tmp_path / "real" / "long.mp4", 80, frames=60)
    grey(tmp_path / "fake" / "short.mp4", 160)
    labels = [label for _, label in stream(tmp_path, most=10)]
    assert labels.count(0.0) == 10 and labels.count(1.0) == FRAMES


def test_broken_and_faceless_videos_are_left_out(tmp_path: Path) -> None:
    grey(tmp_path / "real" / "good.mp4", 80)
    grey(tmp_path / "real" / "dark.mp4", 0)
    grey(tmp_path / "fake" / "good.mp4", 160)
    (tmp_path / "fake" / "broken.mp4").write_bytes(b"no video at all")
    examples = stream(tmp_path)
    with pytest.warns(VideoSkippedWarning) as caught:
        assert len(list(examples)) == 2 * FRAMES
    messages = sorted(str(w.message) for w in caught)
    assert len(messages) == 2
    assert "broken.mp4 is left out of training: The file cannot be read" in messages[0]
    assert "dark.mp4 is left out of training: no face" in messages[1]
    assert {path.name for path in examples.left_out} == {"broken.mp4", "dark.mp4"}
    with warnings.catch_warnings(action="error"):  # said once, not in every epoch
        list(examples)


def test_nothing_to_train_on(tmp_path: Path) -> None:
    grey(tmp_path / "real" / "a.mp4", 0)
    grey(tmp_path / "fake" / "b.mp4", 1)
    with pytest.warns(VideoSkippedWarning), pytest.raises(DataSetError, match="No video"):
        list(stream(tmp_path))


def test_what_cannot_be_streamed(folder: Path) -> None:
    given = items(folder)
    with pytest.raises(DataSetError, match="one real and one manipulated"):
        StreamedVideos([item for item in given if item.label], SIZE, 1)
    with pytest.raises(DataSetError, match="crops.zip:a.png is not a video"):
        StreamedVideos([*given, Item(Path("crops.zip"), "a.png", 0, "a", "train")], SIZE, 1)


def test_one_video_open_and_a_bounded_buffer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more crops are held than the buffer takes, and never two videos are open."""
    opened, made, most_open = 0, 0, 0
    real_open, real_crop = streamed_videos.open_media, streamed_videos.largest_crop

    class Counted:
        def __init__(self, path: Path) -> None:
            self.inner = real_open(path)

        def __enter__(self) -> object:
            nonlocal opened, most_open
            opened += 1
            most_open = max(most_open, opened)
            return self.inner.__enter__()

        def __exit__(self, *error: object) -> None:
            nonlocal opened
            opened -= 1
            self.inner.__exit__(*error)  # type: ignore[arg-type]

    def counting(*given: object) -> Image | None:
        nonlocal made
        made += 1
        return real_crop(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(streamed_videos, "open_media", Counted)
    monkeypatch.setattr(streamed_videos, "largest_crop", counting)
    for given, _ in enumerate(stream(folder, buffer=5)):
        assert made - given <= 5 + 1
    assert most_open == 1 and opened == 0


def test_batches(folder: Path) -> None:
    crops, labels = next(iter(DataLoader(stream(folder), batch_size=12)))
    assert crops.shape == (12, 3, SIZE, SIZE) and crops.dtype == torch.uint8
    assert labels.shape == (12,) and 0 < labels.sum() < 12


def test_workers_share_the_videos(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    for number in range(3):
        worker = SimpleNamespace(id=number, num_workers=3)
        monkeypatch.setattr(streamed_videos, "get_worker_info", lambda worker=worker: worker)
        seen += levels(stream(folder))
    assert sorted(seen) == sorted([*[40, 60, 80, 100] * FRAMES, *[160, 180] * 2 * FRAMES])


def test_augmentation_mirrors_and_degrades_and_keeps_the_size() -> None:
    crop = np.zeros((33, 33, 3), np.uint8)
    crop[:, :16] = 200
    made = [_augment(crop, np.random.default_rng(n)) for n in range(24)]
    assert all(m.shape == crop.shape and m.dtype == np.uint8 for m in made)
    mirrored = sum(m[:, :12].mean() < m[:, 21:].mean() for m in made)
    assert 6 <= mirrored <= 18
    assert len({m.tobytes() for m in made}) > 12


def test_real_faces(tmp_path: Path, astronaut: np.ndarray) -> None:
    """With CenterFace itself."""
    for label, picture in (("real", astronaut), ("fake", cv2.flip(astronaut, 1))):
        (tmp_path / label).mkdir()
        write_clip(tmp_path / label / f"{label}.mp4", [picture] * 3)
    examples = StreamedVideos(items(tmp_path), 64, 1, sample_rate=8.0)
    crops = [crop for crop, _ in islice(examples, 2)]
    assert len(crops) == 2 and all(crop.float().std() > 15 for crop in crops)
