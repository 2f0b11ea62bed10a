"""Reading video and photos: order, exact times, upright pictures, and files that mean no good."""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import UPRIGHT, box, cornered, corners, number_of, numbered, packets, write_clip, write_sound
from PIL import Image as Pillow

from detector.errors import MediaError
from detector.media.completeness import missing_seconds
from detector.media.frame import Frame
from detector.media.open import open_media
from detector.media.packet_stats import Tally
from detector.media.reader import MediaReader
from detector.schema.analysis import MediaKind

EVERY_FRAME = 1000.0

FAST = {"b": "2000000", "cpu-used": "8", "deadline": "realtime"}
KINDS = {
    "mp4": ("clip.mp4", "libx264", "yuv420p", {"crf": "12", "g": "20"}),
    "mov": ("clip.mov", "libx264", "yuv420p", {"crf": "12", "g": "20"}),
    "mov of jpegs": ("clip.mov", "mjpeg", "yuvj420p", {}),
    "mkv": ("clip.mkv", "libx264", "yuv420p", {"crf": "12", "g": "20"}),
    "webm": ("clip.webm", "libvpx", "yuv420p", FAST),
    "webm, VP9": ("clip.webm", "libvpx-vp9", "yuv420p", {**FAST, "crf": "10"}),
    "avi": ("clip.avi", "mpeg4", "yuv420p", {"b": "2000000"}),
    "avi, frames reordered": ("clip.avi", "mpeg4", "yuv420p", {"b": "2000000", "bf": "2"}),
    "avi, H.264 reordered": ("clip.avi", "libx264", "yuv420p", {"crf": "12", "bf": "2"}),
}


def read(path: Path, sample_rate: float = EVERY_FRAME) -> tuple[list[Frame], Tally]:
    with open_media(path) as reader:
        return list(reader.frames(sample_rate)), reader.tally


def refusal(path: Path) -> str:
    with pytest.raises(MediaError) as refused:
        read(path)
    message = str(refused.value)
    assert "\n" not in message
    return message


def clip(folder: Path, kind: str, count: int = 30) -> Path:
    name, codec, pix_fmt, options = KINDS[kind]
    pictures = (numbered(i) for i in range(count))
    return write_clip(folder / name, pictures, codec=codec, pix_fmt=pix_fmt, options=options)


class TestConstantRate:
    @pytest.mark.parametrize("kind", KINDS)
    def test_each_frame_comes_once_in_order_at_its_exact_time(self, tmp_path: Path, kind: str) -> None:
        with open_media(clip(tmp_path, kind)) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert [number_of(frame.image) for frame in frames] == list(range(30))
            assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(30)]
            assert [frame.index for frame in frames] == list(range(30))
            assert all(isinstance(frame.time, Fraction) for frame in frames)
            first = frames[0].pts
            assert all(frame.time == (frame.pts - first) * reader.time_base for frame in frames)
            assert reader.duration == Fraction(30, 25)
            assert not reader.variable_frame_rate
            assert (reader.tally.decoded, reader.tally.undecodable) == (30, 0)

    @pytest.mark.parametrize("kind", KINDS)
    def test_reading_again_by_pts_gives_identical_pixels(self, tmp_path: Path, kind: str) -> None:
        with open_media(clip(tmp_path, kind)) as reader:
            frames = {frame.pts: frame for frame in reader.frames(EVERY_FRAME)}
            decoded = reader.tally.decoded
            again = list(reader.at(set(frames)))
            assert [frame.pts for frame in again] == sorted(frames)
            for frame in again:
                assert frame.time == frames[frame.pts].time
                assert np.array_equal(frame.image, frames[frame.pts].image)
            assert reader.tally.decoded == decoded, "a second look is not counted"

    def test_reading_again_seeks_once_for_each_group(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ten frames from one key frame to the next; the third group is not wanted."""
        path = tmp_path / "groups.mp4"
        tens = {"g": "10", "keyint_min": "10", "sc_threshold": "0"}
        write_clip(path, map(numbered, range(50)), options=tens)
        sought: list[int] = []
        seek = MediaReader._seek

        def noted(reader: MediaReader, pts: int) -> object:
            sought.append(pts)
            return seek(reader, pts)

        with open_media(path) as reader:
            known = [frame.pts for frame in reader.frames(EVERY_FRAME)]
            monkeypatch.setattr(MediaReader, "_seek", noted)
            wanted = [3, 4, 9, 12, 18, 31, 39, 40]
            again = [number_of(frame.image) for frame in reader.at({known[i] for i in wanted})]
        assert again == wanted
        assert sought == [known[i] for i in (3, 12, 31, 40)]

    @pytest.mark.parametrize("kind", KINDS)
    def test_reading_stretches_again_gives_identical_pixels(self, tmp_path: Path, kind: str) -> None:
        with open_media(clip(tmp_path, kind)) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            spans = [(0, 3), (5, 5), (6, 11), (27, 29)]
            again = list(reader.spans((frames[first].pts, frames[last].pts) for first, last in spans))
            wanted = [frame for first, last in spans for frame in frames[first : last + 1]]
            assert [(one.pts, one.time) for one in again] == [(one.pts, one.time) for one in wanted]
            assert all(np.array_equal(a.image, b.image) for a, b in zip(again, wanted, strict=True))

    def test_stretches_whose_ends_no_frame_has(self, tmp_path: Path) -> None:
        """Without its first frame nothing comes of one; one whose last is not there ends before it."""
        with open_media(clip(tmp_path, "mp4")) as reader:
            known = [frame.pts for frame in reader.frames(EVERY_FRAME)]
            spans = [
                (known[2] + 1, known[4]),
                (known[6], known[8] + 1),
                (known[9], known[10]),
                (known[28], 10**9),
            ]
            assert [known.index(frame.pts) for frame in reader.spans(spans)] == [6, 7, 8, 9, 10, 28, 29]

    def test_a_pts_no_frame_has_is_left_out(self, tmp_path: Path) -> None:
        with open_media(clip(tmp_path, "mp4")) as reader:
            known = [frame.pts for frame in reader.frames(EVERY_FRAME)]
            assert [frame.pts for frame in reader.at({known[7], known[7] + 1, 10**9})] == [known[7]]

    def test_facts(self, tmp_path: Path) -> None:
        with open_media(clip(tmp_path, "mp4")) as reader:
            list(reader.frames(8))
            assert (reader.width, reader.height, reader.rotation) == (160, 96, 0)
            assert (reader.kind, reader.codec, reader.has_sound) == (MediaKind.VIDEO, "h264", False)
            assert "mp4" in reader.container_format
            assert reader.frame_rate == 25
            assert reader.expected_duration == pytest.approx(1.2)

    def test_sound_beside_the_picture_is_noticed(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "clip.mp4", (numbered(i) for i in range(10)), sound=True)
        with open_media(path) as reader:
            assert reader.has_sound
            assert len(list(reader.frames(EVERY_FRAME))) == 10


class TestVariableRate:
    # Milliseconds.
    PTS = (0, 40, 50, 133, 134, 500, 501, 900)

    @pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv"])
    def test_times_are_those_written(self, tmp_path: Path, name: str) -> None:
        pictures = (numbered(i) for i in range(len(self.PTS)))
        path = write_clip(tmp_path / name, pictures, pts=self.PTS, time_base=Fraction(1, 1000), rate=1000)
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert [number_of(frame.image) for frame in frames] == list(range(8))
            assert [frame.time for frame in frames] == [Fraction(pts, 1000) for pts in self.PTS]
            assert [frame.pts * reader.time_base for frame in frames] == [Fraction(p, 1000) for p in self.PTS]
            assert reader.variable_frame_rate

    def test_the_rounding_of_a_coarse_clock_is_no_variable_rate(self, tmp_path: Path) -> None:
        """30000/1001 in Matroska's milliseconds: gaps of 33 and 34."""
        path = write_clip(
            tmp_path / "clip.mkv",
            (numbered(i) for i in range(30)),
            time_base=Fraction(1001, 30000),
            rate=Fraction(30000, 1001),
        )
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert {b.pts - a.pts for a, b in zip(frames, frames[1:], strict=False)} == {33, 34}
            assert not reader.variable_frame_rate

    @pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
    def test_time_starts_at_the_first_frame(self, tmp_path: Path, name: str) -> None:
        path = write_clip(tmp_path / name, (numbered(i) for i in range(20)), pts=[50 + i for i in range(20)])
        frames, tally = read(path)
        assert frames[0].pts > 0
        assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(20)]
        assert tally.first_pts == frames[0].pts


class TestEditLists:
    def test_times_start_at_the_first_frame_shown(self, tmp_path: Path) -> None:
        """A mov whose edit list hides the first ten frames, as phones trim."""
        path = write_clip(
            tmp_path / "clip.mov", (numbered(i) for i in range(40)), options={"crf": "12", "g": "20"}
        )
        data = bytearray(path.read_bytes())
        entry = box(bytes(data), b"elst") + 8
        duration, media_time = struct.unpack_from(">Ii", data, entry)
        ten_frames = 10 * 512  # media ticks of 1/12800 s
        struct.pack_into(">Ii", data, entry, duration - 400, media_time + ten_frames)
        path.write_bytes(data)
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert [number_of(frame.image) for frame in frames] == list(range(10, 40))
            assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(30)]
            assert reader.duration == Fraction(30, 25)
            for again, frame in zip(reader.at({f.pts for f in frames}), frames, strict=True):
                assert np.array_equal(again.image, frame.image)

    @pytest.mark.parametrize("name", ["clip.mov", "clip.mkv"])
    def test_a_negative_start(self, tmp_path: Path, name: str) -> None:
        """What a container does with frames before zero is its own; times start at 0 all the same."""
        path = write_clip(tmp_path / name, (numbered(i) for i in range(40)), pts=[i - 5 for i in range(40)])
        frames, _ = read(path)
        numbers = [number_of(frame.image) for frame in frames]
        assert numbers == list(range(numbers[0], 40)) and numbers[0] <= 5
        assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(len(frames))]


class TestSampling:
    """The first frame of each eighth of a second: golden lists of frame numbers, worked out by hand."""

    def numbers(self, path: Path) -> list[int]:
        frames, tally = read(path, 8.0)
        assert tally.decoded > len(frames), "the frames between are decoded too"
        return [number_of(frame.image) for frame in frames]

    def test_25_a_second(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "clip.mp4", (numbered(i) for i in range(50)))
        assert self.numbers(path) == [0, 4, 7, 10, 13, 16, 19, 22, 25, 29, 32, 35, 38, 41, 44, 47]

    def test_ntsc(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.mp4",
            (numbered(i) for i in range(60)),
            time_base=Fraction(1001, 30000),
            rate=Fraction(30000, 1001),
        )
        assert self.numbers(path) == [0, 4, 8, 12, 15, 19, 23, 27, 30, 34, 38, 42, 45, 49, 53, 57]

    def test_variable(self, tmp_path: Path) -> None:
        pts = [0, 50, 100, 125, 300, 310, 490, 500, 1000, 1010, 1200, 1250]
        path = write_clip(
            tmp_path / "clip.mp4",
            (numbered(i) for i in range(len(pts))),
            pts=pts,
            time_base=Fraction(1, 1000),
            rate=1000,
        )
        assert self.numbers(path) == [0, 3, 4, 6, 7, 8, 10, 11]

    def test_a_clip_slower_than_the_sampling_gives_every_frame(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.mp4", (numbered(i) for i in range(6)), time_base=Fraction(1, 5), rate=5
        )
        frames, _ = read(path, 8.0)
        assert [frame.time for frame in frames] == [Fraction(i, 5) for i in range(6)]


class TestRotation:
    # Degrees clockwise a stored frame is turned to stand upright, and the display matrix
    # (a, b, c, d) that says so: x' = a·x + c·y, y' = b·x + d·y, y pointing down.
    MATRICES = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}

    @staticmethod
    def with_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
        data = bytearray(path.read_bytes())
        a, b, c, d = (value * 65536 for value in matrix)
        struct.pack_into(">5i", data, box(bytes(data), b"tkhd") + 40, a, b, 0, c, d)
        path.write_bytes(data)
        return path

    @pytest.mark.parametrize("turn", MATRICES)
    def test_frames_come_upright(self, tmp_path: Path, turn: int) -> None:
        stored = np.ascontiguousarray(np.rot90(cornered(), turn // 90))  # counter-clockwise
        path = self.with_matrix(write_clip(tmp_path / "clip.mp4", [stored] * 3), self.MATRICES[turn])
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert [corners(frame.image) for frame in frames] == [UPRIGHT] * 3
            assert frames[0].image.shape == (96, 128, 3)
            assert (reader.width, reader.height, reader.rotation) == (128, 96, turn)
            assert [corners(frame.image) for frame in reader.at({frames[1].pts})] == [UPRIGHT]

    def test_a_mirrored_clip_is_not_turned_upside_down(self, tmp_path: Path) -> None:
        stored = np.ascontiguousarray(cornered()[:, ::-1])
        path = self.with_matrix(write_clip(tmp_path / "clip.mp4", [stored] * 3), (-1, 0, 0, 1))
        frames, _ = read(path)
        assert corners(frames[0].image) in {UPRIGHT, "GRWB"}  # mirrored or not, but upright


class TestPhotos:
    # What was done to the upright picture for it to be stored under this EXIF orientation.
    STORED = {
        1: None,
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }

    @pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp"])
    def test_a_photo_is_one_frame_without_duration(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        assert cv2.imwrite(str(path), cornered()[:, :, ::-1])
        with open_media(path) as reader:
            (frame,) = reader.frames(8)
            assert corners(frame.image) == UPRIGHT
            assert (frame.time, reader.duration, reader.frame_rate) == (0, 0, None)
            assert reader.kind is MediaKind.IMAGE
            assert not reader.variable_frame_rate
            (again,) = reader.at({frame.pts})
            assert np.array_equal(again.image, frame.image)

    def test_lossless_photos_keep_their_pixels(self, tmp_path: Path) -> None:
        picture = numbered(5)
        for name in ("photo.png", "photo.webp"):
            Pillow.fromarray(picture).save(tmp_path / name, lossless=True)
        assert np.array_equal(read(tmp_path / "photo.png")[0][0].image, picture)
        # Lossless WebP is RGB inside, so nothing is lost here either.
        assert np.array_equal(read(tmp_path / "photo.webp")[0][0].image, picture)

    @pytest.mark.parametrize("orientation", STORED)
    def test_exif_orientation(self, tmp_path: Path, orientation: int) -> None:
        """All eight; a mirrored photo may stay mirrored, but stands on its feet."""
        picture = Pillow.fromarray(cornered())
        done = self.STORED[orientation]
        exif = Pillow.Exif()
        exif[0x0112] = orientation
        path = tmp_path / "photo.jpg"
        (picture if done is None else picture.transpose(done)).save(path, exif=exif, quality=95)
        with open_media(path) as reader:
            (frame,) = reader.frames(8)
            mirrored = orientation in {2, 4, 5, 7}
            assert corners(frame.image) in ({UPRIGHT, "GRWB"} if mirrored else {UPRIGHT})
            assert frame.image.shape == (96, 128, 3)
            assert (reader.width, reader.height) == (128, 96)

    def test_png_with_alpha(self, tmp_path: Path) -> None:
        picture = numbered(9)
        alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
        Pillow.fromarray(np.concatenate([picture, alpha], axis=2)).save(tmp_path / "photo.png")
        (frame,), _ = read(tmp_path / "photo.png")
        assert np.array_equal(frame.image, picture)

    def test_png_of_sixteen_bits(self, tmp_path: Path) -> None:
        picture = numbered(9)
        deep = picture[:, :, ::-1].astype(np.uint16) * 257
        assert cv2.imwrite(str(tmp_path / "photo.png"), deep)
        (frame,), _ = read(tmp_path / "photo.png")
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image.astype(int) - picture).max() <= 1

    @pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK"])
    def test_other_kinds_of_pixels(self, tmp_path: Path, mode: str) -> None:
        path = tmp_path / ("photo.jpg" if mode == "CMYK" else "photo.png")
        picture = Pillow.fromarray(cornered()).convert(mode)
        picture.save(path)
        (frame,), _ = read(path)
        shown = np.array(picture.convert("RGB")).astype(int)
        assert frame.image.shape == shown.shape
        assert np.abs(frame.image.astype(int) - shown).mean() < 8

    def test_one_pixel(self, tmp_path: Path) -> None:
        Pillow.new("RGB", (1, 1), (200, 30, 90)).save(tmp_path / "dot.png")
        (frame,), _ = read(tmp_path / "dot.png")
        assert frame.image.tolist() == [[[200, 30, 90]]]

    def test_a_picture_no_camera_takes_is_refused(self, tmp_path: Path) -> None:
        Pillow.new("1", (40_000, 4_000)).save(tmp_path / "vast.png")
        assert "40000×4000" in refusal(tmp_path / "vast.png")

    def test_a_photo_cut_off_in_the_middle_is_not_passed_over_in_silence(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
        data = cv2.imencode(".png", noise)[1].tobytes()
        (tmp_path / "photo.png").write_bytes(data[: len(data) // 3])
        try:
            _, tally = read(tmp_path / "photo.png")
        except MediaError:
            return
        assert tally.undecodable


class TestBrokenFiles:
    @staticmethod
    def left_of(path: Path, seconds: float) -> list[Frame]:
        """The frames left of a clip of ``seconds``; that the others are missing must be said."""
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            lost = seconds - float(reader.duration)
            assert lost > 0.3
            assert reader.tally.undecodable or missing_seconds(reader) == pytest.approx(lost, abs=0.1)
        return frames

    # WebM takes other sound than these clips have.
    @pytest.mark.parametrize("sound", [False, True])
    @pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "avi", "avi, frames reordered"])
    def test_nothing_is_missing_from_a_whole_file(self, tmp_path: Path, kind: str, sound: bool) -> None:
        name, codec, pix_fmt, options = KINDS[kind]
        pictures = (numbered(i) for i in range(8))
        # The sound goes on for much longer than the picture.
        path = write_clip(
            tmp_path / name, pictures, codec=codec, pix_fmt=pix_fmt, options=options, sound=sound
        )
        with open_media(path) as reader:
            assert len(list(reader.frames(EVERY_FRAME))) == 8
            assert missing_seconds(reader) == 0

    def test_missing(self, tmp_path: Path) -> None:
        assert "cannot be opened: No such file" in refusal(tmp_path / "gone.mp4")

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "cannot be opened: Is a directory" in refusal(tmp_path)

    @pytest.mark.parametrize("name", ["empty.mp4", "empty.jpg"])
    def test_zero_bytes(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).touch()
        assert "0 bytes" in refusal(tmp_path / name)

    @pytest.mark.parametrize("name", ["text.mp4", "text.mkv", "text.jpg", "text"])
    def test_text_under_another_name(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("Nothing to see here.\n" * 500)
        assert "mp4, mov, mkv, webm, avi" in refusal(tmp_path / name)

    @pytest.mark.parametrize("length", [1, 4, 12, 100, 5000])
    def test_noise(self, tmp_path: Path, length: int) -> None:
        (tmp_path / "noise.mp4").write_bytes(random.Random(length).randbytes(length))
        refusal(tmp_path / "noise.mp4")

    def test_truncated_before_the_index(self, tmp_path: Path) -> None:
        path = clip(tmp_path, "mp4")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "copied only in part" in refusal(path)

    @pytest.mark.parametrize("kept", [0.5, 0.8])
    def test_an_index_first_and_half_of_the_frames_missing(self, tmp_path: Path, kept: float) -> None:
        """What is there is read; that the rest is missing is not hidden."""
        path = write_clip(
            tmp_path / "clip.mp4",
            (numbered(i) for i in range(40)),
            container_options={"movflags": "faststart"},
        )
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
        frames = self.left_of(path, 1.6)
        assert 5 < len(frames) < 40
        assert [number_of(frame.image) for frame in frames] == list(range(len(frames)))

    @pytest.mark.parametrize("sound", [False, True])
    @pytest.mark.parametrize("name", ["clip.mkv", "clip.avi"])
    def test_other_containers_cut_off(self, tmp_path: Path, name: str, sound: bool) -> None:
        """With sound beside the picture as well, which nearly every clip has."""
        codec = {"clip.mkv": "libx264", "clip.avi": "mpeg4"}[name]
        path = write_clip(
            tmp_path / name,
            (numbered(i) for i in range(75)),
            codec=codec,
            options={"g": "10", "b": "2000000"},
            sound=sound,
        )
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        frames = self.left_of(path, 3.0)
        # Of reordered frames a later one may survive an earlier one; they still come in order, once.
        numbers = [number_of(frame.image) for frame in frames]
        assert numbers == sorted(set(numbers))
        assert numbers[:20] == list(range(20))

    def test_an_index_and_no_frames_at_all(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.mp4",
            (numbered(i) for i in range(10)),
            container_options={"movflags": "faststart"},
        )
        path.write_bytes(path.read_bytes()[: packets(path)[0][0]])
        refusal(path)

    @pytest.mark.parametrize("kind", ["mov of jpegs", "mp4"])
    @pytest.mark.parametrize("garbage", ["zeros", "noise"])
    def test_undecodable_frames_are_counted(self, tmp_path: Path, kind: str, garbage: str) -> None:
        path = clip(tmp_path, kind, 40)
        data = bytearray(path.read_bytes())
        draw = random.Random(1)
        for offset, size, _ in (packets(path)[i] for i in (10, 11, 25)):
            data[offset : offset + size] = bytes(size) if garbage == "zeros" else draw.randbytes(size)
        path.write_bytes(data)
        frames, tally = read(path)
        assert (tally.decoded, tally.undecodable) == (37, 3)
        assert len(frames) == 37
        if kind == "mov of jpegs":  # each frame stands for itself: those left are whole and in their place
            left = [i for i in range(40) if i not in {10, 11, 25}]
            assert [number_of(frame.image) for frame in frames] == left
            assert [frame.time for frame in frames] == [Fraction(i, 25) for i in left]

    def test_damage_inside_a_webm_is_not_hidden(self, tmp_path: Path) -> None:
        path = clip(tmp_path, "webm", 40)
        data = bytearray(path.read_bytes())
        draw = random.Random(1)
        for offset, size, _ in (packets(path)[i] for i in (10, 11, 25)):
            data[offset : offset + size] = draw.randbytes(size)
        path.write_bytes(data)
        assert len(self.left_of(path, 1.6)) < 40

    def test_sound_alone(self, tmp_path: Path) -> None:
        assert "sound but no picture" in refusal(write_sound(tmp_path / "voice.mp4"))

    def test_sound_with_cover_art(self, tmp_path: Path) -> None:
        path = write_sound(tmp_path / "song.mp4", cornered())
        with av.open(str(path)) as container:
            assert container.streams.video, "the cover is there"
        assert "sound but no picture" in refusal(path)


class TestPlaylists:
    """A file that names other files opens none of them."""

    @staticmethod
    def playlist(target: str) -> str:
        head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:0\n"
        return f"{head}#EXTINF:5.0,\n{target}\n#EXT-X-ENDLIST\n"

    @pytest.fixture
    def bait(self, tmp_path: Path) -> Iterator[tuple[str, int]]:
        """A pipe with a letter in it, which nobody can read unseen: its path and our end of it."""
        path = tmp_path / "bait.ts"
        os.mkfifo(path)
        end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        os.write(end, b"G" * 4096)
        yield str(path), end
        os.close(end)

    @pytest.fixture
    def server(self) -> Iterator[socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            yield listening

    def test_the_bait_works(self, tmp_path: Path, server: socket.socket) -> None:
        """FFmpeg left to itself does follow a playlist; otherwise the next tests would prove nothing."""
        path = tmp_path / "list.m3u8"
        path.write_text(self.playlist(f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"))
        with pytest.raises((av.FFmpegError, ValueError)):
            av.open(
                str(path),
                options={"protocol_whitelist": "file,http,tcp", "rw_timeout": "200000"},
                timeout=1.0,
            ).close()
        connection, _ = server.accept()
        connection.close()

    @pytest.mark.parametrize("name", ["clip.mp4", "list.m3u8", "photo.jpg"])
    def test_nothing_else_is_opened(
        self, tmp_path: Path, name: str, bait: tuple[str, int], server: socket.socket
    ) -> None:
        local, end = bait
        remote = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        for target in (local, f"file:{local}", "bait.ts", remote):
            (tmp_path / name).write_text(self.playlist(target))
            refusal(tmp_path / name)
        assert os.read(end, 8192) == b"G" * 4096, "the pipe was read"
        with pytest.raises(BlockingIOError):
            server.accept()

    def test_a_concat_script_opens_nothing(self, tmp_path: Path, bait: tuple[str, int]) -> None:
        local, end = bait
        (tmp_path / "clip.mp4").write_text(f"ffconcat version 1.0\nfile '{local}'\n")
        refusal(tmp_path / "clip.mp4")
        assert os.read(end, 8192) == b"G" * 4096

    def test_the_name_decides_nothing(self, tmp_path: Path) -> None:
        """A pattern in a file's name would make FFmpeg's image reader open its neighbours."""
        picture = Pillow.fromarray(cornered())
        for name in ("a%d.jpg", "a0.jpg", "a1.jpg", "http:x.jpg"):
            picture.save(tmp_path / name, format="jpeg")
        for name in ("a%d.jpg", "http:x.jpg"):
            frames, tally = read(tmp_path / name)
            assert (len(frames), tally.decoded) == (1, 1)


def test_the_file_is_closed_afterwards(tmp_path: Path) -> None:
    path = clip(tmp_path, "mp4")
    held = Path("/proc/self/fd")
    if not held.is_dir():
        pytest.skip("no /proc here to list open files")

    def is_open() -> bool:
        return any(os.path.realpath(link) == str(path.resolve()) for link in held.iterdir())

    with open_media(path) as reader:
        assert isinstance(reader, MediaReader) and is_open()
        list(reader.frames(8))
    assert not is_open()
