"""Files that are no media, cut short or damaged are refused or reported."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import cornered, number_of, numbered, packets, write_clip, write_sound
from reading import EVERY_FRAME, KINDS, clip, read, refusal

from detector.media.completeness import missing_seconds
from detector.media.frame import Frame
from detector.media.open import open_media


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

    def test_file_truncated_in_its_table(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "a.mp4", (numbered(i) for i in range(8)))
        path.write_bytes(path.read_bytes()[:-400])
        assert "copied only in part" in refusal(path)

    def test_missing_file(self, tmp_path: Path) -> None:
        assert "cannot be opened: it does not exist. Check" in refusal(tmp_path / "gone.mp4")

    def test_folder_is_refused(self, tmp_path: Path) -> None:
        assert "cannot be opened: it is a folder. Name one" in refusal(tmp_path)

    @pytest.mark.parametrize("name", ["empty.mp4", "empty.jpg"])
    def test_empty_file_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).touch()
        assert "0 bytes" in refusal(tmp_path / name)

    @pytest.mark.parametrize("name", ["text.mp4", "text.mkv", "text.jpg", "text"])
    def test_text_file_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("Nothing to see here.\n" * 500)
        assert "mp4, mov, mkv, webm, avi" in refusal(tmp_path / name)

    @pytest.mark.parametrize("length", [1, 4, 12, 100, 5000])
    def test_noise_is_refused(self, tmp_path: Path, length: int) -> None:
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
    def test_truncated_containers(self, tmp_path: Path, name: str, sound: bool) -> None:
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
        assert len(frames) == 37 - tally.damage.frames
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

    def test_sound_without_pictures_is_refused(self, tmp_path: Path) -> None:
        assert "sound but no picture" in refusal(write_sound(tmp_path / "voice.mp4"))

    def test_sound_with_cover_art(self, tmp_path: Path) -> None:
        path = write_sound(tmp_path / "song.mp4", cornered())
        with av.open(str(path)) as container:
            assert container.streams.video, "the cover is there"
        assert "sound but no picture" in refusal(path)
