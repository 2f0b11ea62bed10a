"""Missing parts of files that were cut short or overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import PIL.Image
import pytest
from clips import number_of, numbered, write_clip
from media_files import photo

from detector.media.completeness import lost_frames, missing_seconds
from detector.media.open import open_media
from detector.metadata.exhibit import collect_facts, media_facts
from detector.schema.analysis import MediaKind
from detector.verdict.coverage import damage_gaps

EVERY_FRAME = 1000.0


class TestDamage:
    @pytest.mark.parametrize("lenient", [False, True])
    def test_truncated_jpeg_is_incomplete(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lenient: bool
    ) -> None:
        """Also where WeasyPrint was imported, which makes Pillow lenient."""
        monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", lenient)
        whole = photo(tmp_path / "whole.jpg").read_bytes()
        end = b"\xff\xd9"
        for name, share, added, lost in (
            ("whole", 1.0, b"", 0),
            ("with something behind it", 1.0, b"\0" * 500 + end, 0),
            ("most", 0.6, b"", 1),
            ("little", 0.2, b"", 1),
            ("most, with an end", 0.6, end, 1),
        ):
            path = tmp_path / f"{name}.jpg"
            path.write_bytes(whole[: round(len(whole) * share)] + added)
            with open_media(path) as reader:
                assert len(list(reader.frames(8))) == 1
                assert reader.tally.undecodable == lost, name

    def test_truncated_avi_lacks_its_end(self, tmp_path: Path) -> None:
        """FFmpeg guesses how long it is by its size, so that nothing seems to be missing."""
        path = write_clip(tmp_path / "a.avi", map(numbered, range(50)), codec="mpeg4")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with open_media(path) as reader:
            shown = len(list(reader.frames(EVERY_FRAME)))
            assert shown < 35 and lost_frames(reader) + reader.tally.undecodable == 50 - shown
            assert missing_seconds(reader) == pytest.approx((50 - shown) / 25)

    def test_a_few_frames_missing_at_the_end(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "a.mp4", map(numbered, range(50)), container_options={"movflags": "faststart"}
        )
        path.write_bytes(path.read_bytes()[: -path.stat().st_size // 8])
        with open_media(path) as reader:
            shown = len(list(reader.frames(EVERY_FRAME)))
            assert 35 < shown < 48 and lost_frames(reader) + reader.tally.undecodable == 50 - shown
            assert missing_seconds(reader) == pytest.approx((50 - shown) / 25)

    @pytest.mark.parametrize("duration", [0, 40])
    def test_a_gif_with_and_without_control_extensions(self, tmp_path: Path, duration: int) -> None:
        """FFmpeg would tell its pictures apart by these alone, and show one frame."""
        path = tmp_path / "a.gif"
        first, *others = (PIL.Image.fromarray(numbered(number)) for number in range(12))
        first.save(path, save_all=True, append_images=others, duration=duration)
        assert (path.read_bytes().count(b"\x21\xf9\x04") == 0) == (duration == 0)
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert reader.kind is MediaKind.VIDEO and reader.container_format == "gif"
            assert [number_of(frame.image) for frame in frames] == list(range(12))
            step = (duration or 100) / 1000
            assert [float(frame.time) for frame in frames] == pytest.approx([step * n for n in range(12)])
            assert float(reader.duration) == pytest.approx(12 * step)
            assert lost_frames(reader) == missing_seconds(reader) == reader.tally.undecodable == 0
            (again,) = reader.at({frames[7].pts})
            assert number_of(again.image) == 7

    @pytest.mark.parametrize("left", [0.5, 0.95])
    def test_last_picture_of_a_truncated_gif_is_damaged(self, tmp_path: Path, left: float) -> None:
        """FFmpeg shows it without a word, as far as it goes."""
        path = tmp_path / "a.gif"
        first, *others = (PIL.Image.fromarray(numbered(number)) for number in range(12))
        first.save(path, save_all=True, append_images=others, duration=40)
        path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
        with open_media(path) as reader:
            shown = [number_of(frame.image) for frame in reader.frames(EVERY_FRAME)]
            assert 4 < len(shown) < 12 and shown == list(range(len(shown)))
            assert reader.stream.frames == len(shown) + 1 and reader.tally.undecodable == 1

    def test_undecodable_middle_is_a_gap(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "a.mp4", map(numbered, range(75)), options={"g": "25"})
        break_packets(path, range(25, 50))
        with open_media(path) as reader:
            times = [float(frame.time) for frame in reader.frames(8.0)]
            media = media_facts(reader, "a.mp4", 1, "0" * 64)
            media = media.model_copy(update={"details": collect_facts(reader, path).details})
        (gap,) = damage_gaps(media, times, 8.0)
        assert gap.reason == "no picture could be decoded here"
        assert gap.start == pytest.approx(1.0, abs=0.2) and gap.end == pytest.approx(2.0, abs=0.2)

    def test_all_gaps_are_reported(self, tmp_path: Path) -> None:
        """Only the longest are recorded with the file's facts, and only the first hundred failures."""
        starts = range(10, 500, 25)
        broken = {start + number for start in starts for number in range(10)}
        path = write_clip(tmp_path / "a.mp4", map(numbered, range(510)), options={"g": "1"})
        break_packets(path, broken)
        with open_media(path) as reader:
            times = [float(frame.time) for frame in reader.frames(8.0)]
            media = media_facts(reader, "a.mp4", 1, "0" * 64)
            media = media.model_copy(update={"details": collect_facts(reader, path).details})
        assert media.details is not None and media.details.timing is not None
        assert len(media.details.timing.gaps) == 16
        gaps = sorted(damage_gaps(media, times, 8.0), key=lambda gap: gap.start)
        assert [gap.start for gap in gaps] == pytest.approx([start / 25 for start in starts], abs=0.05)
        assert [gap.end for gap in gaps] == pytest.approx([(start + 10) / 25 for start in starts], abs=0.05)


def break_packets(path: Path, numbers: Iterable[int]) -> None:
    """Overwrite these packets of the picture, so that they cannot be decoded."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in numbers:
        start, size = places[number]
        data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
