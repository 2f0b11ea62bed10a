"""Reading the archives: every row a sample, labels and groups as given, landmarks where they lie."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import pytest
from clips import write_clip
from made_faces import crop, encoded, write_archive
from warm import Script

from detector.faces.crop import CropSquare, crop_square, square_for_face
from detector.faces.patch import decode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.files import ROOT
from training.data.labelled_sets import DataSetError
from training.data.research_faces import MARGIN, Sample, _cached_samples, dfdc_samples, read_csv

GATHER = Script("""
import pickle, sys
from pathlib import Path
import numpy as np
from detector.faces.search.networks import FaceDetector
from detector.models.loaded import load_model
from detector.scoring.scorer import Scorer
from training.data.research_faces import harvest
if sys.argv[3] == "after an analysis":
    FaceDetector()(np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8))
    Scorer(load_model()).logits([np.zeros((128, 128, 3), np.uint8)] * 8)
with open(sys.argv[4], "wb") as file:
    pickle.dump(harvest(Path(sys.argv[1]), Path(sys.argv[2])), file)
""")


def gathered(data: Path, cache: Path, how: str = "") -> list[Sample]:
    """What `harvest` gives, in a process of its own with an end to its patience."""
    result = cache.with_suffix(".result")
    command = [sys.executable, "-c", GATHER, str(data), str(cache), how, str(result)]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
        try:
            assert process.wait(timeout=300) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    with result.open("rb") as file:
        return pickle.load(file)


def test_rows_become_samples(tmp_path: Path) -> None:
    write_archive(tmp_path / "dfdc-val.zip", 3)
    samples = dfdc_samples(tmp_path / "dfdc-val.zip")
    assert [(s.label, s.group) for s in samples] == [
        (0, "source-0"), (1, "source-0"), (0, "source-1"), (1, "source-1"), (0, "source-2"), (1, "source-2")
    ]  # fmt: skip
    assert all(s.framed and s.landmarks is None for s in samples)
    with zipfile.ZipFile(tmp_path / "dfdc-val.zip") as archive:
        assert samples[1].data == archive.read("fake-0.jpg")


@pytest.mark.parametrize("cut", [0, 400])
def test_a_damaged_archive_is_named(tmp_path: Path, cut: int) -> None:
    """One that was copied in part, and one with a byte that changed."""
    archive = tmp_path / "dfdc-val.zip"
    write_archive(archive, 1)
    whole = bytearray(archive.read_bytes())
    whole[100] ^= 255  # of the first picture
    archive.write_bytes(whole[: cut or None])
    with pytest.raises(DataSetError, match=r"dfdc-val\.zip: not a zip, or damaged"):
        dfdc_samples(archive)


def test_colours_are_red_green_blue() -> None:
    picture = crop(3, False)
    assert np.array_equal(decode_jpeg(encoded(picture)), picture)


def test_landmarks_of_real_crops_only(tmp_path: Path, astronaut: np.ndarray) -> None:
    """In pixels of the crop itself, though it is found with a border around it."""
    (face,) = FaceDetector()(astronaut)
    square = square_for_face(face)
    inside = crop_square(astronaut, square, 128)
    with zipfile.ZipFile(tmp_path / "dfdc-x.zip", "w") as archive:
        archive.writestr("a.png", encoded(inside))
        archive.writestr("b.png", encoded(inside))
    (tmp_path / "dfdc-x.csv").write_text("file,label,source\na.png,real,s1\nb.png,fake,s1\n")
    real, fake = dfdc_samples(tmp_path / "dfdc-x.zip", landmarks=True)
    assert fake.landmarks is None and real.landmarks is not None
    expected = np.c_[face.landmarks, np.ones(5)] @ square.matrix(128).T
    assert np.abs(real.landmarks - expected).max() < 6


@pytest.fixture
def folder(tmp_path: Path, astronaut: np.ndarray) -> Path:
    return filled(tmp_path / "data", astronaut)


def filled(data: Path, astronaut: np.ndarray) -> Path:
    """A data folder of one photo, one clip to train on and two that are not for training, no DFDC."""
    (data / "videos").mkdir(parents=True)
    tight = np.ascontiguousarray(astronaut[40:240, 130:330])
    with zipfile.ZipFile(data / "photos-real.zip", "w") as archive:
        archive.writestr("lfw/", b"")
        archive.writestr("lfw/eileen.jpg", encoded(tight, ".jpg"))
    for name in ("train-me.mp4", "develop.mp4", "fake.mp4"):
        write_clip(data / "videos" / name, [tight] * 3)
    (data / "videos" / "labels.csv").write_text(
        "file,label,role,generator\ntrain-me.mp4,real,train,\ndevelop.mp4,real,develop,\nfake.mp4,fake,train,x\n"
    )
    return data


@dataclass(frozen=True)
class Harvested:
    data: Path
    cache: Path
    found: list[Sample]


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray) -> Harvested:
    """What is gathered from such a folder, by a process that has analysed before.

    The threads of OpenCV and torch do not survive a fork: workers begun by one would wait for ever.
    """
    folder = tmp_path_factory.mktemp("harvested")
    data, cache = filled(folder / "data", astronaut), folder / "cache"
    return Harvested(data, cache, gathered(data, cache, "after an analysis"))


def test_faces_from_photos_and_clips(harvested: Harvested) -> None:
    """With a margin, the landmarks in the crop; nothing of role develop, nothing manipulated."""
    samples = harvested.found
    assert {s.group for s in samples} == {"lfw/eileen.jpg", "train-me.mp4"}
    assert len(samples) == 4
    for sample in samples:
        assert (sample.label, sample.framed) == (0, False)
        picture = decode_jpeg(sample.data)
        side = picture.shape[0]
        assert picture.shape == (side, side, 3) and sample.landmarks is not None
        # Without its margin this is the framing the network sees: the eyes where they belong.
        inner = crop_square(picture, CropSquare(side / 2, side / 2, side / MARGIN, 0), 128)
        (face,) = FaceDetector(0.3)(cv2.copyMakeBorder(inner, 64, 64, 64, 64, cv2.BORDER_REPLICATE))
        from_margin = (sample.landmarks - side / 2) * (128 * MARGIN / side) + 64
        assert np.abs(face.landmarks - 64 - from_margin).max() < 8


def test_the_second_time_comes_from_the_cache(harvested: Harvested) -> None:
    kept = {path: path.stat().st_ino for path in harvested.cache.iterdir()}
    again = gathered(harvested.data, harvested.cache)
    assert [s.data for s in again] == [s.data for s in harvested.found]
    assert {path: path.stat().st_ino for path in harvested.cache.iterdir()} == kept


def groups(folder: Path, cache: Path) -> list[str]:
    return [s.group for s in _cached_samples(folder / "videos", cache)]


def test_other_roles_and_other_clips_are_not_taken_from_the_cache(folder: Path, tmp_path: Path) -> None:
    videos = folder / "videos"
    assert set(groups(folder, tmp_path)) == {"train-me.mp4"}
    table = (videos / "labels.csv").read_text()
    swapped = table.replace("me.mp4,real,train", "me.mp4,real,develop")
    (videos / "labels.csv").write_text(swapped.replace("develop.mp4,real,develop", "develop.mp4,real,train"))
    assert set(groups(folder, tmp_path)) == {"develop.mp4"}
    write_clip(videos / "develop.mp4", [np.full((96, 96, 3), 90, np.uint8)] * 3)
    assert groups(folder, tmp_path) == []


def test_other_labels_and_another_archive_are_not_taken_from_the_cache(tmp_path: Path) -> None:
    archive = tmp_path / "dfdc-train-0.zip"
    write_archive(archive, 1)
    assert [s.label for s in _cached_samples(archive, tmp_path)] == [0, 1]
    table = archive.with_suffix(".csv")
    table.write_text(table.read_text().replace("fake-0.jpg,fake", "fake-0.jpg,real"))
    assert [s.label for s in _cached_samples(archive, tmp_path)] == [0, 0]
    write_archive(archive, 2)
    assert [s.label for s in _cached_samples(archive, tmp_path)] == [0, 1, 0, 1]


def test_a_run_that_is_stopped_while_it_keeps_them_leaves_nothing_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "dfdc-train-0.zip"
    write_archive(archive, 1)

    def stopped(samples: object, file: BinaryIO) -> None:
        file.write(b"\x80\x05")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("training.data.research_faces.pickle.dump", stopped)
        _cached_samples(archive, tmp_path)
    assert [s.label for s in _cached_samples(archive, tmp_path)] == [0, 1]


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('file,label\n"x, y.jpg",real\n')
    assert read_csv(tmp_path / "a.csv") == [{"file": "x, y.jpg", "label": "real"}]
