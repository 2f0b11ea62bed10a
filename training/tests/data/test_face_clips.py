"""One face followed through a clip: of role train only, in one piece until a cut."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip

from detector.faces.patch import decode_jpeg
from detector.faces.search.networks import FaceDetector
from training.data import research_faces
from training.data.research_faces import MARGIN, MovingFace, follow_face, gather_moving_faces, smooth

SIZE = 256
COUNT = 14
EIGHT = {"time_base": Fraction(1, 8), "rate": 8}  # frames a second


def walking(astronaut: np.ndarray) -> list[np.ndarray]:
    """The portrait sliding by three pixels a frame."""
    return [np.ascontiguousarray(astronaut[:SIZE, 80 + 3 * i : 80 + SIZE + 3 * i]) for i in range(COUNT)]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray) -> list[MovingFace]:
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    write_clip(path, walking(astronaut), **EIGHT)
    return follow_face(path)


def test_the_face_stays_in_the_middle(followed: list[MovingFace]) -> None:
    (face,) = followed
    assert face.group == "walk.mp4" and len(face) == COUNT
    assert face.landmarks.shape == (COUNT, 5, 2) and face.landmarks.dtype == np.float32
    pictures = [decode_jpeg(data) for data in face.frames]
    side = pictures[0].shape[0]
    assert {picture.shape for picture in pictures} == {
        (side, side, 3)
    } and side <= research_faces.LARGEST_MOVING
    assert np.ptp(face.landmarks.mean(axis=1), axis=0).max() < 0.05 * side


def test_landmarks_are_where_the_face_is(followed: list[MovingFace]) -> None:
    (face,) = followed
    picture = decode_jpeg(face.frames[7])
    (seen,) = FaceDetector(0.3)(picture)
    assert np.abs(seen.landmarks - face.landmarks[7]).max() < 0.04 * picture.shape[0]
    # The margin is around what the network sees.
    assert seen.width == pytest.approx(picture.shape[0] / MARGIN, rel=0.25)


def test_a_cut_ends_it(tmp_path: Path, astronaut: np.ndarray) -> None:
    frames = walking(astronaut)
    mirrored = [np.clip(frame[:, ::-1].astype(int) + 90, 0, 255).astype(np.uint8) for frame in frames]
    write_clip(tmp_path / "cut.mp4", frames + mirrored, **EIGHT)
    assert [len(face) for face in follow_face(tmp_path / "cut.mp4")] == [COUNT, COUNT]


def test_too_short_or_nobody(tmp_path: Path, astronaut: np.ndarray) -> None:
    write_clip(
        tmp_path / "short.mp4",
        walking(astronaut)[: research_faces.SHORTEST - 1],
        time_base=Fraction(1, 8),
        rate=8,
    )
    write_clip(
        tmp_path / "nobody.mp4",
        [np.full((96, 96, 3), 90, np.uint8)] * COUNT,
        time_base=Fraction(1, 8),
        rate=8,
    )
    assert follow_face(tmp_path / "short.mp4") == [] == follow_face(tmp_path / "nobody.mp4")


def test_long_clips_give_pieces(
    tmp_path: Path, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evenly spread, and not joined over what was left out."""
    monkeypatch.setattr(research_faces, "SECONDS", 3.0)
    monkeypatch.setattr(research_faces, "PIECES", 2)
    write_clip(tmp_path / "long.mp4", walking(astronaut) * 3, **EIGHT)
    pieces = follow_face(tmp_path / "long.mp4")
    assert [len(face) for face in pieces] == [12, 12]


def test_role_train_only_and_the_cache(
    tmp_path: Path, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "videos"
    folder.mkdir(parents=True)
    for name in ("train.mp4", "develop.mp4", "fake.mp4"):
        write_clip(folder / name, walking(astronaut), **EIGHT)
    (folder / "labels.csv").write_text(
        "file,label,role\ntrain.mp4,real,train\ndevelop.mp4,real,develop\nfake.mp4,fake,train\n"
    )
    first = gather_moving_faces(tmp_path / "data", tmp_path / "cache")
    assert [face.group for face in first] == ["train.mp4"]
    for name in ("develop.mp4", "fake.mp4"):
        (folder / name).unlink()
    monkeypatch.setattr(research_faces, "ProcessPoolExecutor", None)  # nothing is followed again
    (again,) = gather_moving_faces(tmp_path / "data", tmp_path / "cache")
    assert again.frames == first[0].frames and np.array_equal(again.landmarks, first[0].landmarks)
    write_clip(folder / "train.mp4", walking(astronaut)[::-1], **EIGHT)
    with pytest.raises(TypeError):  # but what the clip shows now
        gather_moving_faces(tmp_path / "data", tmp_path / "cache")


def test_smoothed() -> None:
    values = np.array([[0.0], [0.0], [4.0], [0.0]])
    assert smooth(values)[:, 0].tolist() == [0, 1, 2, 1]
