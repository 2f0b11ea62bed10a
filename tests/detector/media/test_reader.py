"""Reading video: order, exact times, sampling, orientation."""

from __future__ import annotations

import gc
import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import UPRIGHT, box, cornered, corners, number_of, numbered, write_clip
from PIL import Image
from reading import EVERY_FRAME, KINDS, clip, read

from detector.media.open import open_media
from detector.media.reader import MediaReader
from detector.schema.analysis import MediaKind


class TestConstantRate:
    @pytest.mark.parametrize("kind", KINDS)
    def test_frames_come_once_in_order_at_exact_times(self, tmp_path: Path, kind: str) -> None:
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

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("avi")])
    def test_key_frames_alone_and_then_every_frame(self, tmp_path: Path, kind: str) -> None:
        with open_media(clip(tmp_path, kind)) as reader:
            keys = [pts for frame, pts in reader.some_frames("NONKEY") if frame.key_frame]
            assert reader.can_skip
            assert reader.duration == Fraction(30, 25)
            reader.rewind()
            assert reader.duration == 0
            frames = list(reader.frames(EVERY_FRAME))
            assert [number_of(frame.image) for frame in frames] == list(range(30))
            assert 0 < len(keys) <= 30 and set(keys) <= {frame.pts for frame in frames}
            assert (reader.tally.decoded, reader.tally.undecodable) == (30, 0)
            again = list(reader.at({frame.pts for frame in frames}))
            assert [number_of(frame.image) for frame in again] == list(range(30))

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
    def test_reading_spans_again_gives_identical_pixels(self, tmp_path: Path, kind: str) -> None:
        with open_media(clip(tmp_path, kind)) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            spans = [(0, 3), (5, 5), (6, 11), (27, 29)]
            again = list(reader.spans((frames[first].pts, frames[last].pts) for first, last in spans))
            wanted = [frame for first, last in spans for frame in frames[first : last + 1]]
            assert [(picture.pts, picture.time) for picture in again] == [
                (picture.pts, picture.time) for picture in wanted
            ]
            assert all(np.array_equal(a.image, b.image) for a, b in zip(again, wanted, strict=True))

    def test_spans_with_missing_ends(self, tmp_path: Path) -> None:
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

    def test_missing_pts_is_ignored(self, tmp_path: Path) -> None:
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
    def test_written_times_are_kept(self, tmp_path: Path, name: str) -> None:
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
    """The first frame of each eighth of a second, and each shown for longer: golden lists, by hand."""

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
        assert self.numbers(path) == [0, 3, 4, 5, 6, 7, 8, 9, 10, 11]

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("rate", [7.3, 12.0])
    def test_constant_rate_samples_first_frames(self, tmp_path: Path, kind: str, rate: float) -> None:
        path = clip(tmp_path, kind)
        every, _ = read(path)
        firsts = {int(frame.time * Fraction(rate).limit_denominator(1000)): frame for frame in every[::-1]}
        frames, tally = read(path, rate)
        assert [frame.index for frame in frames] == sorted(frame.index or 0 for frame in firsts.values())
        assert tally.decoded == 30

    @pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
    @pytest.mark.parametrize("place", range(14, 20))
    def test_long_frame_is_sampled(self, tmp_path: Path, name: str, place: int) -> None:
        """Whether or not it is the first of its interval, or others refer to it."""
        pts = [number + 50 * (number > place) for number in range(30)]
        options = {"crf": "12", "g": "30", "bf": "3", "b-pyramid": "normal", "preset": "veryfast"}
        path = write_clip(tmp_path / name, map(numbered, range(30)), pts=pts, options=options)
        usual = {min(n for n in range(30) if 8 * pts[n] // 25 == slot) for slot in {8 * p // 25 for p in pts}}
        for all_decoded in (True, False):
            with open_media(path) as reader:
                frames = list(reader.frames(8.0, all_decoded))
            assert [number_of(frame.image) for frame in frames] == sorted(usual | {place})
            assert [frame.index for frame in frames] == sorted(usual | {place})

    def test_barely_short_frame_is_not_sampled(self, tmp_path: Path) -> None:
        for following, sampled in ((225, [0, 2, 3, 4, 5]), (226, [0, 1, 2, 3, 4, 5])):
            pts, base = [0, 100, following, 400, 600, 800], Fraction(1, 1000)
            path = write_clip(tmp_path / "a.mp4", map(numbered, range(6)), pts=pts, time_base=base)
            assert [number_of(frame.image) for frame in read(path, 8.0)[0]] == sampled

    @pytest.mark.parametrize(("lasts", "sampled"), [(1, [0, 4]), (3, [0, 4]), (50, [0, 4, 5])])
    def test_last_frame_with_a_long_duration_is_sampled(
        self, tmp_path: Path, lasts: int, sampled: list[int]
    ) -> None:
        whole = write_clip(tmp_path / "whole.mp4", map(numbered, range(6)), options={"bf": "0", "crf": "12"})
        with av.open(str(whole)) as given, av.open(str(tmp_path / "clip.mp4"), "w") as made:
            source = given.streams.video[0]
            stream = made.add_stream_from_template(source)
            for packet in [packet for packet in given.demux(source) if packet.size]:
                if packet.pts * source.time_base == Fraction(5, 25):
                    packet.duration = int(Fraction(lasts, 25) / source.time_base)
                packet.stream = stream
                made.mux(packet)
        for all_decoded in (True, False):
            with open_media(tmp_path / "clip.mp4") as reader:
                frames = list(reader.frames(8.0, all_decoded))
                assert [number_of(frame.image) for frame in frames] == sampled
                assert reader.duration == Fraction(5 + lasts, 25)

    @pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
    def test_last_frame_with_longer_sound_is_sampled(self, tmp_path: Path, name: str) -> None:
        """Players leave it where it is."""
        for count, sampled in ((6, [0, 4, 5]), (21, [0, 4, 7, 10, 13, 16, 19])):
            path = write_clip(tmp_path / name, map(numbered, range(count)), sound=True)
            assert [number_of(frame.image) for frame in read(path, 8.0)[0]] == sampled

    def test_animation_with_a_long_last_frame(self, tmp_path: Path) -> None:
        pictures = [Image.fromarray(numbered(number)) for number in range(6)]
        for shown, sampled in ((40, [0, 4]), (3000, [0, 4, 5])):
            path, times = tmp_path / "a.gif", [40] * 5 + [shown]
            pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=times)
            frames, _ = read(path, 8.0)
            assert [number_of(frame.image) for frame in frames] == sampled

    def test_slow_clip_yields_every_frame(self, tmp_path: Path) -> None:
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
    def test_frames_are_upright(self, tmp_path: Path, turn: int) -> None:
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


def test_frames_are_freed_without_garbage_collection(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_clip(path, map(numbered, range(40)))
    gc.collect()
    gc.disable()
    try:
        with open_media(path) as reader:
            assert sum(1 for _ in reader.frames(EVERY_FRAME)) == 40
            held = sum(isinstance(instance, av.VideoFrame) for instance in gc.get_objects())
    finally:
        gc.enable()
    assert held <= 4


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


def test_seeking_with_several_edits(tmp_path: Path) -> None:
    """FFmpeg gives frames before a stretch that are not shown the times of those shown in another."""
    options = {"crf": "12", "preset": "veryfast", "g": "25", "bf": "2"}
    path = write_clip(tmp_path / "a.mov", map(numbered, range(75)), options=options)
    data = bytearray(path.read_bytes())
    at = box(data, b"elst") + 4
    (first,) = struct.unpack_from(">i", data, at + 8)  # delay of the B frames, in ticks of 1/12800 s
    edits = [(400, first + 10 * 512), (800, first + 40 * 512)]
    table = struct.pack(">I", len(edits)) + b"".join(struct.pack(">IiI", *edit, 1 << 16) for edit in edits)
    data[at : at + 16] = table
    for kind in (b"elst", b"edts", b"trak", b"moov"):
        start = box(data, kind) - 8
        struct.pack_into(">I", data, start, int.from_bytes(data[start : start + 4], "big") + 12)
    path.write_bytes(data)
    with open_media(path) as reader:
        frames = {frame.pts: number_of(frame.image) for frame in reader.frames(1000)}
        assert {10, 19, 41, 59} <= set(frames.values())
        assert {frame.pts: number_of(frame.image) for frame in reader.at(set(frames))} == frames
        for pts, number in frames.items():
            assert [number_of(frame.image) for frame in reader.at({pts})] == [number]
        reader.rewind()
        assert len(list(reader.frames(1000))) == len(frames)
