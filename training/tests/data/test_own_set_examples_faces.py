"""What is shown of the files of a data set of one's own: their faces, read once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from made_faces import crop, encoded
from own_set import clip, put

from detector.errors import MediaError
from detector.faces.crop import crop_square, square_for_face
from detector.faces.patch import decode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.scoring.scorer import framed_crop
from training.data import own_sets
from training.data.labelled_sets import DataSetError, Item
from training.data.own_sets import crop_items


class TestShown:
    def test_with_centerface_itself(self, tmp_path: Path, astronaut: np.ndarray) -> None:
        """Ten frames of a video in order, the face of a picture, a picture without one, a ready crop."""
        portrait = np.ascontiguousarray(astronaut[20:220, 125:325])
        lit = [(portrait * (0.4 + 0.03 * i)).astype(np.uint8) for i in range(20)]
        write_clip(tmp_path / "clip.mp4", lit)
        (tmp_path / "face.png").write_bytes(encoded(portrait))
        put(tmp_path / "pattern.png", 1)
        with zipfile.ZipFile(tmp_path / "crops.zip", "w") as archive:
            archive.writestr("face.png", encoded(portrait))
        items = [
            Item(tmp_path / "clip.mp4", None, 1, "clip", "train"),
            Item(tmp_path / "face.png", None, 0, "face", "train"),
            Item(tmp_path / "pattern.png", None, 0, "pattern", "train"),
            Item(tmp_path / "crops.zip", "face.png", 0, "zipped", "train"),
        ]
        video, face, pattern, zipped = crop_items(items, 10)
        assert (video.label, video.group, face.label, zipped.group) == (1, "clip", 0, "zipped")
        assert len(video.crops) == 10
        means = [decode_jpeg(data).mean() for data in video.crops]
        assert means == sorted(means) and means[-1] > 1.7 * means[0]
        (detection,) = FaceDetector()(portrait)
        for example, expected in [
            (face, crop_square(portrait, square_for_face(detection), 224)),
            (pattern, framed_crop(crop(1, False), 224)),
            (zipped, framed_crop(portrait, 224)),
        ]:
            (data,) = example.crops
            assert decode_jpeg(data).shape == (224, 224, 3)
            assert np.abs(decode_jpeg(data).astype(float) - expected).mean() < 2, "red is red, and framed so"

    @pytest.mark.usefixtures("every_frame_a_face")
    def test_repeated_items_are_read_once(self, videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        read = []
        real = own_sets.video_crops
        monkeypatch.setattr(
            own_sets, "video_crops", lambda path, *rest: read.append(path) or real(path, *rest)
        )
        a, b = (Item(videos / "train" / "real" / f"{n}.mp4", None, 0, f"{n}", "train") for n in (40, 60))
        out = crop_items([a, b, a, a], 3)
        assert [example.group for example in out] == ["40", "60", "40", "40"]
        assert read == [a.path, b.path] and out[0] is out[2]
        assert [len(example.crops) for example in out] == [3, 3, 3, 3]

    @pytest.mark.usefixtures("every_frame_a_face")
    def test_videos_without_a_face_are_left_out(self, videos: Path, tmp_path: Path) -> None:
        clip(tmp_path / "dark.mp4", 0, 3)
        items = [
            Item(tmp_path / "dark.mp4", None, 1, "dark", "train"),
            Item(videos / "train" / "real" / "40.mp4", None, 0, "40", "train"),
        ]
        assert [example.group for example in crop_items(items, 4)] == ["40"]

    @pytest.mark.usefixtures("every_frame_a_face")
    @pytest.mark.parametrize("data", [b"no picture", b""])
    def test_a_broken_picture_is_named(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "broken.png").write_bytes(data)
        with pytest.raises(DataSetError, match=r"broken\.png is not a readable picture"):
            crop_items([Item(tmp_path / "broken.png", None, 1, "a", "train")], 1)
        with zipfile.ZipFile(tmp_path / "crops.zip", "w") as archive:
            archive.writestr("in/broken.png", data)
        with pytest.raises(DataSetError, match=r"crops\.zip:in/broken\.png is not a readable picture"):
            crop_items([Item(tmp_path / "crops.zip", "in/broken.png", 1, "a", "train")], 1)

    @pytest.mark.usefixtures("every_frame_a_face")
    def test_a_broken_video_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "broken.mp4").write_bytes(b"no video")
        with pytest.raises(MediaError):
            crop_items([Item(tmp_path / "broken.mp4", None, 1, "a", "train")], 1)


def test_kept_pictures_lose_next_to_nothing() -> None:
    picture = cv2.resize(crop(3, True), (224, 224), interpolation=cv2.INTER_CUBIC)
    kept = own_sets._encode(Item(Path("a"), None, 1, "g", "train"), [picture])
    assert np.abs(decode_jpeg(kept.crops[0]).astype(float) - picture).mean() < 1.5
