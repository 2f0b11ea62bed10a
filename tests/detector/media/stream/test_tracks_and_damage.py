"""Files with several tracks of pictures, with less than they promise, with other pixels or colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import PIL.Image
import pytest
from analyses import media as facts
from av.stream import Disposition
from clips import HEIGHT, UPRIGHT, WIDTH, cornered, corners, number_of, numbered, write_clip, write_resized
from media_files import photo

from detector.media.completeness import lost_frames, missing_seconds
from detector.media.open import open_media
from detector.media.pictures import hdr
from detector.media.pictures.cuts import CutDetector
from detector.media.reader import MediaReader, PictureGrowsError
from detector.media.stream.tally import Tally
from detector.media.stream.unreferenced import NeededPackets
from detector.metadata.anomalies.rules import anomalies_of
from detector.metadata.collect import collect
from detector.metadata.exhibit import media_facts
from detector.schema.analysis import MediaKind
from detector.verdict.examined.coverage import gaps_of

EVERY_FRAME = 1000.0
NOW = datetime(2026, 11, 20, tzinfo=UTC)


class TestSeveralTracks:
    @pytest.mark.parametrize("default", [0, 1])
    def test_the_one_a_player_shows_is_examined(self, tmp_path: Path, default: int) -> None:
        path = tmp_path / "two.mkv"
        with av.open(str(path), "w") as container:
            tracks = [container.add_stream("libx264", rate=25) for _ in range(2)]
            for number, track in enumerate(tracks):
                track.width, track.height, track.pix_fmt = WIDTH, HEIGHT, "yuv420p"
                track.disposition = Disposition.default if number == default else Disposition(0)
            for i in range(3):
                for number, track in enumerate(tracks):
                    frame = av.VideoFrame.from_ndarray(numbered(100 * number + i), format="rgb24")
                    container.mux(track.encode(frame))
            for track in tracks:
                container.mux(track.encode())
        with open_media(path) as reader:
            assert number_of(next(iter(list(reader.frames(EVERY_FRAME)))).image) == 100 * default
            details = collect(reader, path).details
        assert [stream.index for stream in details.other_pictures] == [1 - default]
        told = anomalies_of(facts(MediaKind.VIDEO, 0.12), details, NOW)
        (found,) = (anomaly for anomaly in told if anomaly.kind == "another picture track")
        assert f"stream {1 - default} (h264)" in found.observation


class TestDamage:
    @pytest.mark.parametrize("lenient", [False, True])
    def test_a_jpeg_cut_short_is_not_whole(
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

    def test_half_an_avi(self, tmp_path: Path) -> None:
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
    def test_the_picture_in_which_a_gif_breaks_off_is_damaged(self, tmp_path: Path, left: float) -> None:
        """FFmpeg shows it without a word, as far as it goes."""
        path = tmp_path / "a.gif"
        first, *others = (PIL.Image.fromarray(numbered(number)) for number in range(12))
        first.save(path, save_all=True, append_images=others, duration=40)
        path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
        with open_media(path) as reader:
            shown = [number_of(frame.image) for frame in reader.frames(EVERY_FRAME)]
            assert 4 < len(shown) < 12 and shown == list(range(len(shown)))
            assert reader.stream.frames == len(shown) + 1 and reader.tally.undecodable == 1

    def test_what_cannot_be_decoded_in_the_middle_is_a_gap(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "a.mp4", map(numbered, range(75)), options={"g": "25"})
        break_packets(path, range(25, 50))
        with open_media(path) as reader:
            times = [float(frame.time) for frame in reader.frames(8.0)]
            media = media_facts(reader, "a.mp4", 1, "0" * 64)
            media = media.model_copy(update={"details": collect(reader, path).details})
        (gap,) = gaps_of(media, times, 8.0)
        assert gap.reason == "no picture could be decoded here"
        assert gap.start == pytest.approx(1.0, abs=0.2) and gap.end == pytest.approx(2.0, abs=0.2)

    def test_none_of_many_gaps_is_left_out(self, tmp_path: Path) -> None:
        """Only the longest are recorded with the file's facts, and only the first hundred failures."""
        starts = range(10, 500, 25)
        broken = {start + number for start in starts for number in range(10)}
        path = write_clip(tmp_path / "a.mp4", map(numbered, range(510)), options={"g": "1"})
        break_packets(path, broken)
        with open_media(path) as reader:
            times = [float(frame.time) for frame in reader.frames(8.0)]
            media = media_facts(reader, "a.mp4", 1, "0" * 64)
            media = media.model_copy(update={"details": collect(reader, path).details})
        assert media.details is not None and media.details.timing is not None
        assert len(media.details.timing.gaps) == 16
        found = sorted(gaps_of(media, times, 8.0), key=lambda gap: gap.start)
        assert [gap.start for gap in found] == pytest.approx([start / 25 for start in starts], abs=0.05)
        assert [gap.end for gap in found] == pytest.approx([(start + 10) / 25 for start in starts], abs=0.05)


class TestShapes:
    @pytest.mark.parametrize(("aspect", "size"), [(Fraction(2), (256, 96)), (Fraction(3, 4), (128, 128))])
    def test_pixels_that_are_not_square_are_made_so(
        self, tmp_path: Path, aspect: Fraction, size: tuple[int, int]
    ) -> None:
        path = tmp_path / "a.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
            stream.codec_context.sample_aspect_ratio = aspect
            container.mux(stream.encode(av.VideoFrame.from_ndarray(cornered(), format="rgb24")))
            container.mux(stream.encode())
        with open_media(path) as reader:
            (frame,) = reader.frames(EVERY_FRAME)
            assert (reader.width, reader.height) == size == frame.image.shape[1::-1]
            assert corners(frame.image) == UPRIGHT

    @pytest.mark.parametrize(("limits", "name"), [((16, 235), "limited"), ((0, 255), "full")])
    def test_pictures_without_colours_are_black_and_white_in_either_range(
        self, tmp_path: Path, limits: tuple[int, int], name: str
    ) -> None:
        grey = np.repeat(np.array([limits], np.uint8), 48, axis=1).repeat(96, axis=0)
        path = tmp_path / "a.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx265", rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 96, "gray"
            stream.options = {"x265-params": f"log-level=none:crf=5:range={name}"}
            stream.codec_context.color_range = 1 if name == "limited" else 2
            frame = av.VideoFrame.from_ndarray(grey, format="gray")
            frame.color_range = stream.codec_context.color_range
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        with open_media(path) as reader:
            (shown,) = reader.frames(EVERY_FRAME)
        assert (shown.image[:, :40] < 4).all() and (shown.image[:, 56:] > 251).all()

    @pytest.mark.parametrize(
        ("codec", "options"),
        [("mpeg2video", {"g": "20", "bf": "2", "b": "2M"}), ("libx264", {"g": "20", "bf": "2", "crf": "12"})],
    )
    def test_so_are_those_of_a_broadcast_that_changes_their_shape(
        self, tmp_path: Path, codec: str, options: dict[str, str]
    ) -> None:
        path, whole = tmp_path / "a.ts", b""
        for first, aspect in ((0, Fraction(1)), (25, Fraction(4, 3)), (50, Fraction(1))):
            with av.open(str(path), "w") as container:
                stream = container.add_stream(codec, rate=25)
                stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
                stream.codec_context.sample_aspect_ratio, stream.options = aspect, options
                for number in range(first, first + 25):
                    frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
                    frame.pts = number - first
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            whole += path.read_bytes()
        path.write_bytes(whole)
        with open_media(path) as reader:
            reader.canvas = 213, HEIGHT

            def barred() -> dict[int, bool]:
                """By number of a frame, whether bars stand beside it."""
                images = {frame.pts: frame.image for frame in reader.frames(EVERY_FRAME)}
                narrow = {pts: bool(image[:, :16].max() < 8) for pts, image in images.items()}
                for pts in (min(images), max(pts for pts, bars in narrow.items() if not bars)):
                    assert [np.array_equal(one.image, images[pts]) for one in reader.at({pts})] == [True]
                return {
                    number_of(
                        image[:, 26:186] if narrow[pts] else cv2.resize(image, (WIDTH, HEIGHT))
                    ): narrow[pts]
                    for pts, image in images.items()
                }

            found = barred()
            assert found.items() <= {number: not 25 <= number < 50 for number in range(75)}.items()
            assert len(found) >= 73  # where streams are joined a picture of MPEG-2 may rest on damage
            assert [size[1] for size in reader.sizes] == [HEIGHT] * 2
            assert [size[0] for size in reader.sizes] == pytest.approx([WIDTH, 213], abs=1)
            reader.rewind()
            assert barred() == found

    def test_a_picture_that_changes_its_size_is_brought_to_that_of_the_first_frame(
        self, tmp_path: Path
    ) -> None:
        """Boxes are told in its pixels. Another shape begins another scene, shown between bars."""
        path = write_resized(tmp_path / "a.webm", [(WIDTH, HEIGHT), (320, 192), (96, 96)])
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            again = list(reader.at({frame.pts for frame in frames}))
            assert (reader.width, reader.height) == (WIDTH, HEIGHT)
            assert reader.sizes == [(WIDTH, HEIGHT), (320, 192), (96, 96)]
        square = [frame.image[:, 32:128] for frame in frames[10:]]
        whole = [cv2.resize(image, (WIDTH, HEIGHT)) for image in square]
        assert [number_of(image) for image in [*(f.image for f in frames[:10]), *whole]] == list(range(15))
        assert {frame.image.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
        assert all(not frame.image[:, [*range(32), *range(128, WIDTH)]].any() for frame in frames[10:])
        assert [frame.shape for frame in frames] == [None] * 5 + [(192, 320)] * 5 + [(96, 96)] * 5
        assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, again, strict=True))
        cuts, still = CutDetector(25), cornered()
        shapes = [None, (96, 128), (192, 256), (96, 96), (96, 96)]
        assert [cuts.process_frame(still, shape) for shape in shapes] == [False, False, False, True, False]

    def test_a_canvas_may_be_larger_than_the_first_frame(self, tmp_path: Path) -> None:
        path = write_resized(tmp_path / "a.webm", [(96, 96), (WIDTH, HEIGHT), (320, 192)])
        with open_media(path) as reader:
            reader.refuses_growth = True
            with pytest.raises(PictureGrowsError) as grown:
                list(reader.frames(EVERY_FRAME))
        assert grown.value.size == (WIDTH, HEIGHT)
        with open_media(path) as reader:
            size = reader.largest(grown.value.size)
        with open_media(path) as reader:
            reader.canvas = size
            frames = list(reader.frames(EVERY_FRAME))
        assert size == (320, 192)
        assert {frame.image.shape for frame in frames} == {(192, 320, 3)}
        assert [frame.shape for frame in frames] == [(96, 96)] * 5 + [(HEIGHT, WIDTH)] * 5 + [None] * 5

    def test_that_it_changes_its_size_is_said(self, tmp_path: Path) -> None:
        for sizes, said in ([(WIDTH, HEIGHT)], ()), ([(WIDTH, HEIGHT), (96, 96)], ("160×96, 96×96 px",)):
            path = write_resized(tmp_path / "a.webm", sizes)
            with open_media(path) as reader:
                list(reader.frames(8))
                details = collect(reader, path).details
            told = anomalies_of(facts(MediaKind.VIDEO, 0.4), details, NOW)
            found = [one.observation for one in told if one.kind == "the picture changes its size"]
            assert len(found) == len(said) and all(words in found[0] for words in said)


class TestHighDynamicRange:
    def test_white_grey_and_light_beyond_white(self) -> None:
        """203 cd/m² is 0.58 in PQ and 0.75 in HLG (ITU-R BT.2408); what is brighter stays below white."""
        for transfer, white in ((hdr.PQ, 0.58), (hdr.HLG, 0.75)):
            coded = np.array([0.0, 0.5 * white, white, 1.0])
            picture = np.repeat(np.round(coded * 65535).astype(np.uint16)[None, :, None], 3, axis=2)
            shown = hdr.to_standard_range(picture, transfer)[0]
            assert np.ptp(shown.astype(int), axis=1).max() <= 1, "grey stays grey"
            black, grey, bright, beyond = shown[:, 0].tolist()
            assert black == 0 and 20 < grey < 150 and 215 < bright < 250 < beyond

    @staticmethod
    def film(path: Path) -> None:
        """One white frame in PQ, of 10 bits."""
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx265", rate=25)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p10le"
            context = stream.codec_context
            context.color_trc, context.color_primaries, context.colorspace = hdr.PQ, 9, 9
            stream.options = {
                "x265-params": "log-level=none:pools=none:frame-threads=1:colorprim=bt2020:"
                "transfer=smpte2084:colormatrix=bt2020nc"
            }
            white = np.full((96, 128, 3), round(0.58 * 65535), np.uint16)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(white, format="rgb48le")))
            container.mux(stream.encode())

    def test_a_video_is_converted(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mp4"
        try:
            self.film(path)
        except av.FFmpegError:  # met twice: FFmpeg's muxer did not read libx265's parameter sets
            self.film(path)
        with open_media(path) as reader:
            (frame,) = reader.frames(EVERY_FRAME)
            assert 215 < frame.image.mean() < 250


KINDS_OF_WHOLE_DURATION = {
    "a.mkv": ("libx264", "pcm_s16le"),
    "a.wmv": ("wmv2", "adpcm_ms"),
    "a.flv": ("flv1", "pcm_s16le"),
}


class TestTimes:
    @pytest.mark.parametrize(
        ("name", "start", "sounds"),
        [
            *((name, 3, sounds) for name in KINDS_OF_WHOLE_DURATION for sounds in ([], [4])),
            # FLV holds one track of sound.
            *((name, *tracks) for name in ("a.mkv", "a.wmv") for tracks in ((0, [2, 6]), (3, [1, 8]))),
        ],
    )
    def test_nothing_is_missing_where_tracks_begin_and_end_apart(
        self, tmp_path: Path, name: str, start: int, sounds: list[int]
    ) -> None:
        """These containers state how long all of them last, from time 0."""
        path = write_tracks(tmp_path / name, start, sounds)
        with open_media(path) as reader:
            assert len(list(reader.frames(EVERY_FRAME))) == 50
            assert missing_seconds(reader) == 0 == reader.tally.undecodable
        if name != "a.wmv":  # FFmpeg ignores what a Windows Media file cut short says of its length
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
            with open_media(path) as reader:
                list(reader.frames(EVERY_FRAME))
                lost = max([start + 2, *sounds]) - start - float(reader.duration)
                assert missing_seconds(reader) == pytest.approx(lost, abs=0.15) and lost > 0.3

    def test_a_picture_that_starts_later_than_the_sound(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            voice = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
            sound.sample_rate, sound.pts = 8000, 0
            container.mux(voice.encode(sound))
            for number in range(3):
                frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
                frame.pts, frame.time_base = 125 + number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert float(frames[0].time) == 0 and reader.start_offset == pytest.approx(5.0)

    @pytest.mark.parametrize("shift", [-3, 0, 100])
    def test_frames_without_times_before_those_that_have_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: int
    ) -> None:
        """Counted back from it, wherever it stands: from 0 on they would overlap it, or lie apart."""
        path = write_clip(tmp_path / "a.mp4", map(numbered, range(8)), options={"bf": "0"})
        raw = MediaReader._raw

        def bare(reader: MediaReader, tally: Tally, needed: NeededPackets | None) -> Iterator[av.VideoFrame]:
            for number, frame in enumerate(raw(reader, tally, needed)):
                if number < 3:
                    frame.pts = frame.dts = None
                elif frame.pts is not None:
                    frame.pts += shift * frame.duration
                yield frame

        monkeypatch.setattr(MediaReader, "_raw", bare)
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert [number_of(frame.image) for frame in frames] == list(range(8))
            assert [float(frame.time) for frame in frames] == pytest.approx([n / 25 for n in range(8)])
            assert reader.tally.undecodable == 0


def break_packets(path: Path, numbers: Iterable[int]) -> None:
    """Overwrite these packets of the picture, so that they cannot be decoded."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in numbers:
        start, size = places[number]
        data[start : start + size] = b"\xff" * size
    path.write_bytes(data)


def write_tracks(path: Path, start: int, sounds: list[int]) -> Path:
    """Two seconds of picture that begin at ``start``, and tracks of sound of so many seconds."""
    with av.open(str(path), "w") as container:
        codec, sound_codec = KINDS_OF_WHOLE_DURATION[path.name]
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        packets: list[av.Packet] = []
        voices = [container.add_stream(sound_codec, rate=11025, layout="mono") for _ in sounds]
        for voice, seconds in zip(voices, sounds, strict=True):
            step = voice.codec_context.frame_size or 1000
            for at in range(0, 11025 * seconds, step):
                sound = av.AudioFrame.from_ndarray(np.zeros((1, step), np.int16), layout="mono")
                sound.sample_rate, sound.pts = 11025, at
                packets += voice.encode(sound)
            packets += voice.encode(None)
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts, frame.time_base = 25 * start + number, Fraction(1, 25)
            packets += stream.encode(frame)
        for packet in sorted([*packets, *stream.encode()], key=lambda each: each.dts * each.time_base):
            container.mux(packet)
    return path
