"""Motion photos: a video behind a JPEG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from analyses import build
from clips import numbered, write_clip

from detector.media.open import open_media
from detector.metadata.appended_video import appended_video
from detector.metadata.collect import collect
from detector.schema.analysis import MediaKind
from detector.verdict.not_seen import not_seen
from reports.text.photographs import not_examined


def jpeg(**options: object) -> bytes:
    rng = np.random.default_rng(1)
    picture, file = PIL.Image.fromarray(rng.integers(0, 255, (96, 128, 3), np.uint8)), io.BytesIO()
    picture.save(file, "JPEG", quality=92, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("video") / "a.mp4", map(numbered, range(5))).read_bytes()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
@pytest.mark.parametrize("between", [b"", b"\0" * 24 + b"MotionPhoto_Data"])
def test_it_is_found_and_said_not_to_be_looked_at(
    tmp_path: Path, video: bytes, options: dict[str, object], between: bytes
) -> None:
    path = tmp_path / "motion.jpg"
    path.write_bytes(jpeg(**options) + between + video)
    with open_media(path) as reader:
        assert len(list(reader.frames(8))) == 1
        assert reader.tally.undecodable == 0
        details = collect(reader, path).details
    assert details.photo is not None and details.photo.appended_video == len(video)
    analysis = build(tmp_path, kind=MediaKind.IMAGE)
    media = analysis.media.model_copy(update={"details": details})
    (said,) = not_seen(media, 0.0)
    assert said == "Behind the picture the file holds a video, as motion photos do; it was not looked at."
    assert any(
        "A video behind the picture" in line
        for line in not_examined(analysis.model_copy(update={"media": media}))
    )


@pytest.mark.parametrize("inside", ["a comment", "another picture"])
def test_what_is_no_video_behind_the_picture_is_none(tmp_path: Path, video: bytes, inside: str) -> None:
    path = tmp_path / "plain.jpg"
    path.write_bytes(jpeg(comment=b"\xff\xd9" + video[:64]) if inside == "a comment" else jpeg() + jpeg())
    with path.open("rb") as file:
        assert appended_video(file) is None


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda\xff", b"\x89PNG" + bytes(50)])
def test_what_is_no_whole_jpeg_has_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    with (tmp_path / "a.jpg").open("rb") as file:
        assert appended_video(file) is None
