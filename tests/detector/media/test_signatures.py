"""Accepted file types: each is read, by the demuxers that its first bytes allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from clips import UPRIGHT, cornered, corners, number_of, numbered, write_clip
from media_files import (
    ACCEPTED,
    MOV,
    REFUSED,
    SEQUENCE_BRANDS,
    Maker,
    animated,
    beginning_with,
    boxed_photo,
    boxed_picture,
)

from detector.errors import MediaError
from detector.media.acceptance import (
    CONTAINERS,
    HEAD_BYTES,
    KINDS_IN_WORDS,
    PHOTO_ENDINGS,
    SOUND_ENDINGS,
    VIDEO_ENDINGS,
    container_of,
    is_accepted,
    refuse_other_types,
)
from detector.media.completeness import seconds_lost_at_start
from detector.media.open import open_media
from detector.schema.analysis import MediaKind


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_files_are_read(tmp_path: Path, make: Maker) -> None:
    path = make(tmp_path)
    with open_media(path) as reader:
        container = container_of(path.read_bytes()[:HEAD_BYTES])
        assert container is not None and (container.brands or reader.container_format in container.demuxers)
        assert len(list(reader.frames(5))) >= 1


def test_names_for_people_match_the_table() -> None:
    words = {f".{word}" for word in KINDS_IN_WORDS.split(", ")}
    usual = [container for container in CONTAINERS if not container.is_rare]
    assert [container.name for container in usual if words.isdisjoint(container.endings)] == []
    assert words <= PHOTO_ENDINGS | VIDEO_ENDINGS | SOUND_ENDINGS


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_other_files_are_refused(tmp_path: Path, make: Maker) -> None:
    with pytest.raises(MediaError), open_media(make(tmp_path)) as reader:
        list(reader.frames(5))


@pytest.mark.parametrize("first", MOV.boxes)
def test_quicktime_files_without_a_leading_ftyp(tmp_path: Path, first: bytes) -> None:
    assert beginning_with(first, tmp_path).read_bytes()[4:8] == first


@pytest.mark.parametrize("brand", SEQUENCE_BRANDS)
def test_sequences_of_pictures_are_named(tmp_path: Path, brand: bytes) -> None:
    data = boxed_picture(brand, tmp_path).read_bytes()
    assert not is_accepted(data)
    with pytest.raises(MediaError, match="sequence of AVIF or HEIF"):
        refuse_other_types(data)


@pytest.mark.parametrize("name", ["a.heic", "a.avif"])
def test_heif_photo_is_complete(tmp_path: Path, name: str) -> None:
    """FFmpeg reads both as videos, and of the tiled one the upper left tile alone."""
    tiled = name.endswith("heic")
    path = boxed_photo(tmp_path / name, cornered(320, 240), tile=128 if tiled else 0)
    assert (b"grid" in path.read_bytes()) is tiled
    with open_media(path) as reader:
        (frame,) = reader.frames(8)
        assert reader.kind is MediaKind.IMAGE and reader.container_format in {"heif", "avif"}
        assert frame.image.shape == (240, 320, 3) and corners(frame.image) == UPRIGHT
        (again,) = reader.at({frame.pts})
        assert np.array_equal(again.image, frame.image)


@pytest.mark.parametrize("name", ["a.webp", "a.gif"])
def test_animations_are_videos_with_their_times(tmp_path: Path, name: str) -> None:
    with open_media(animated(tmp_path / name)) as reader:
        frames = list(reader.frames(8))
        assert reader.kind is MediaKind.VIDEO and float(reader.duration) == 1.0
        assert [float(frame.time) for frame in frames] == [0, 0.2, 0.4, 0.6, 0.8]
        assert [frame.pts for frame in reader.at({frames[3].pts})] == [frames[3].pts]


def test_a_gif_of_one_picture_is_a_photo(tmp_path: Path) -> None:
    PIL.Image.fromarray(cornered()).save(tmp_path / "a.gif")
    with open_media(tmp_path / "a.gif") as reader:
        assert reader.kind is MediaKind.IMAGE


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "libx264"), ("a.mpg", "mpeg2video"), ("a.wmv", "wmv2")])
def test_seeking_in_streams(tmp_path: Path, name: str, codec: str) -> None:
    """A transport stream has no index, and a seek in it lands between two key frames."""
    path = write_clip(tmp_path / name, map(numbered, range(60)), codec=codec, options={"g": "12"})
    with open_media(path) as reader:
        frames = list(reader.frames(25))
        assert [number_of(frame.image) for frame in frames] == list(range(60))
        again = reader.at({frames[number].pts for number in (1, 30, 59)})
        assert [number_of(frame.image) for frame in again] == [1, 30, 59]


@pytest.mark.parametrize("name", ["a.ts", "a.m2ts"])
@pytest.mark.parametrize(("start", "first"), [(1, 0), (187, 0), (614, 25)])
def test_a_transport_stream_that_begins_within_a_packet(
    tmp_path: Path, name: str, start: int, first: int
) -> None:
    """What was captured, or carved out of a disk, begins anywhere."""
    options = {"crf": "12", "preset": "veryfast", "g": "25"}
    path = write_clip(tmp_path / name, map(numbered, range(60)), options=options)
    path.write_bytes(path.read_bytes()[start:])
    with open_media(path) as reader:
        frames = list(reader.frames(25))
        assert [number_of(frame.image) for frame in frames] == list(range(first, 60))
        assert [float(frame.time) for frame in frames] == pytest.approx([n / 25 for n in range(60 - first)])
        assert [number_of(frame.image) for frame in reader.at({frames[30].pts})] == [first + 30]
        assert bool(seconds_lost_at_start(reader)) is bool(first)


def test_recorder_header_before_a_program_stream(tmp_path: Path) -> None:
    """As Hikvision's recorders write it, often in a file named mp4."""
    options = {"b": "1M", "bf": "0"}
    path = write_clip(tmp_path / "a.mpg", map(numbered, range(20)), codec="mpeg2video", options=options)
    path = path.rename(tmp_path / "a.mp4")
    path.write_bytes(b"IMKH\1\1\0\0" + bytes(32) + path.read_bytes())
    with open_media(path) as reader:
        assert [number_of(frame.image) for frame in reader.frames(1000)] == list(range(20))
        assert reader.container_format == "mpeg"


@pytest.mark.parametrize("behind", ["video", "other picture"])
def test_small_photo_with_appended_data(tmp_path: Path, behind: str) -> None:
    """FFmpeg looks at 2 KB or more, and takes what begins twice for no JPEG."""
    path, picture = tmp_path / "a.jpg", PIL.Image.fromarray(cornered())
    picture.save(path, quality=95)
    if behind == "video":
        video = write_clip(tmp_path / "a.mp4", map(numbered, range(5)))
        path.write_bytes(path.read_bytes() + video.read_bytes())
    else:
        picture.save(path, "MPO", save_all=True, append_images=[picture.rotate(180)], quality=95)
    with open_media(path) as reader:
        (frame,) = reader.frames(5)
        assert reader.kind is MediaKind.IMAGE and not reader.tally.undecodable
        assert corners(frame.image) == UPRIGHT


@pytest.mark.parametrize("lenient", [False, True])
def test_damaged_heif_photo_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lenient: bool
) -> None:
    """Also where Pillow was told to make do with what is there, as WeasyPrint does."""
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    path = boxed_photo(tmp_path / "a.heic", cornered())
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(MediaError, match="copied only in part"), open_media(path) as reader:
        list(reader.frames(8))
