"""Data after the picture of a photo file: motion photos and further pictures."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pillow_heif
import pytest
from analyses import build
from clips import numbered, write_clip

from detector.media.open import open_media
from detector.metadata.anomalies import photo_anomalies
from detector.metadata.embedded_pictures import AppendedContent, read_appended_content
from detector.metadata.exhibit import collect_facts
from detector.metadata.photo import read_photo
from detector.schema.analysis import MediaKind
from detector.verdict.coverage import unexamined_causes
from reports.finding.not_examined import not_examined


def make_jpeg(**options: object) -> bytes:
    rng = np.random.default_rng(1)
    picture, file = PIL.Image.fromarray(rng.integers(0, 255, (96, 128, 3), np.uint8)), io.BytesIO()
    picture.save(file, "JPEG", quality=92, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("video") / "a.mp4", map(numbered, range(5))).read_bytes()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
@pytest.mark.parametrize("between", [b"", b"\0" * 24 + b"MotionPhoto_Data"])
def test_motion_video_is_reported_as_not_examined(
    tmp_path: Path, video: bytes, options: dict[str, object], between: bytes
) -> None:
    path = tmp_path / "motion.jpg"
    path.write_bytes(make_jpeg(**options) + between + video)
    with open_media(path) as reader:
        assert len(list(reader.frames(8))) == 1
        assert reader.tally.undecodable == 0
        details = collect_facts(reader, path).details
    assert details.photo is not None and details.photo.appended_video == len(video)
    analysis = build(tmp_path, kind=MediaKind.IMAGE)
    media = analysis.media.model_copy(update={"details": details})
    (sentence,) = [cause.text for cause in unexamined_causes(media, 0.0)]
    assert sentence == (
        "Behind the picture the file holds a video, as motion photos do; it was not examined."
    )
    assert any(
        "A video stored after the picture" in line
        for line in not_examined(analysis.model_copy(update={"media": media}))
    )


def read_behind(path: Path) -> AppendedContent:
    with path.open("rb") as file:
        return read_appended_content(file)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.bmp", "a.heic", "a.avif"])
def test_a_video_behind_other_pictures_is_found_too(
    tmp_path: Path, astronaut: np.ndarray, video: bytes, name: str
) -> None:
    pillow_heif.register_heif_opener()
    path = tmp_path / name
    PIL.Image.fromarray(astronaut[:96, :128]).save(path)
    picture = path.read_bytes()
    assert read_behind(path) == AppendedContent()
    path.write_bytes(picture + video)
    assert read_behind(path) == AppendedContent(0, len(video))
    if name == "a.heic":
        path.write_bytes(picture + struct.pack(">I4s", 8 + len(video), b"mpvd") + video)
        with path.open("rb") as file:
            photo = read_photo(file).photo
        assert photo is not None and (photo.frames, photo.appended_video) == (1, len(video))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp"])
def test_pictures_behind_the_picture_are_counted(tmp_path: Path, astronaut: np.ndarray, name: str) -> None:
    path = tmp_path / name
    PIL.Image.fromarray(astronaut).save(path)
    picture = path.read_bytes()
    path.write_bytes(picture + b"some\xff\xd8\xffthing" + 2 * picture + make_jpeg() + picture[:-9])
    with open_media(path) as reader:
        assert len(list(reader.frames(8))) == 1
        details = collect_facts(reader, path).details
    assert details.photo is not None and (details.photo.frames, details.other_pages) == (4, 3)
    media = build(tmp_path, kind=MediaKind.IMAGE).media.model_copy(update={"details": details})
    assert [cause.text for cause in unexamined_causes(media, 0.0)] == [
        "The file holds 3 more pictures, not examined."
    ]
    (seen,) = photo_anomalies(details)
    assert seen.observation == "The file holds 4 pictures; the first one was examined."


def test_main_heif_picture_is_examined(tmp_path: Path, astronaut: np.ndarray) -> None:
    pictures = [PIL.Image.fromarray(np.rot90(astronaut, turns)) for turns in range(3)]
    several = pillow_heif.from_pillow(pictures[0])
    for picture in pictures[1:]:
        several.add_from_pillow(picture)
    several.save(tmp_path / "a.heic", primary_index=2)
    with open_media(tmp_path / "a.heic") as reader:
        (frame,) = reader.frames(8)
        details = collect_facts(reader, tmp_path / "a.heic").details
    assert np.abs(frame.image.astype(int) - np.asarray(pictures[2])).mean() < 5
    (seen,) = photo_anomalies(details)
    assert seen.observation == "The file holds 3 pictures; the one marked as main was examined."


@pytest.mark.parametrize("again", [b"\xff\xd8\xff\x01", b"\xff\xd8\xff\xe0\xff\xff", b"\x89PNG\r\n\x1a\n"])
def test_broken_appended_pictures_are_bounded(tmp_path: Path, again: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(make_jpeg() + 500_000 * again)
    began = time.process_time()
    assert read_behind(tmp_path / "a.jpg") == AppendedContent()
    assert time.process_time() - began < 5


def test_other_appended_data_is_no_video(tmp_path: Path, video: bytes) -> None:
    (tmp_path / "plain.jpg").write_bytes(make_jpeg(comment=b"\xff\xd9" + video[:64]))
    assert read_behind(tmp_path / "plain.jpg") == AppendedContent()


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda\xff", b"\x89PNG" + bytes(50)])
def test_incomplete_jpeg_has_no_appended_content(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    assert read_behind(tmp_path / "a.jpg") == AppendedContent()
