"""Parts of a file that are not shown: at its start, at its end, and between."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import HEIGHT, WIDTH, box, number_of, numbered, packets, write_clip

from detector.media.completeness import lost_frames, missing_seconds
from detector.media.containers import stated_seconds
from detector.media.open import open_media
from detector.metadata.exhibit import add_metadata, collect_facts, media_facts
from detector.metadata.video_anomalies import container_anomalies
from detector.schema.analysis import Media
from detector.verdict.coverage import unexamined_causes


def skip_packets(whole: Path, path: Path, skipped: int) -> Path:
    """A copy of a clip that begins some packets later, as a capture does."""
    with av.open(str(whole)) as given, av.open(str(path), "w") as made:
        source = given.streams.video[0]
        stream = made.add_stream_from_template(source)
        for number, packet in enumerate(packet for packet in given.demux(source) if packet.size):
            if number >= skipped:
                packet.stream = stream
                made.mux(packet)
    return path


def read_facts(path: Path) -> tuple[Media, float, list[int]]:
    with open_media(path) as reader:
        shown = [number_of(frame.image) for frame in reader.frames(1000.0, all_decoded=False)]
        media = media_facts(reader, path.name, 1, "0" * 64)
        assert media.frames_undecodable == lost_frames(reader) + reader.tally.undecodable
        return (
            media.model_copy(update={"details": collect_facts(reader, path).details}),
            missing_seconds(reader),
            shown,
        )


@pytest.fixture(params=["ts", "mp4", "mkv", "flv"])
def ending(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clip(tmp_path: Path, ending: str) -> Path:
    options = {"g": "25", "bf": "2", "sc_threshold": "0", "crf": "12", "preset": "veryfast"}
    return write_clip(tmp_path / f"whole.{ending}", map(numbered, range(60)), options=options)


class TestACaptureThatBeginsBetweenTwoKeyFrames:
    def test_loss_is_at_the_start(self, clip: Path) -> None:
        media, missing, shown = read_facts(skip_packets(clip, clip.with_stem("later"), 8))
        assert shown[0] == 25 and len(shown) == 35
        assert media.lost_at_start == pytest.approx(17 / 25, abs=0.05)
        assert missing == 0
        assert media.frames_undecodable == pytest.approx(17, abs=2)
        (sentence,) = [cause.text for cause in unexamined_causes(media, missing)]
        assert (
            "incomplete: the first 0.7 s cannot be decoded (they begin between two key frames); " in sentence
        )
        assert "at its end" not in sentence

    def test_complete_capture_lost_nothing(self, clip: Path) -> None:
        media, missing, shown = read_facts(clip)
        assert shown == list(range(60))
        assert (media.lost_at_start, missing, media.frames_undecodable) == (0.0, 0.0, 0)
        assert media.details is not None and media.details.groups is not None
        assert media.details.groups.begins_with_key

    def test_start_at_a_key_frame_lost_nothing(self, clip: Path) -> None:
        media, missing, shown = read_facts(skip_packets(clip, clip.with_stem("later"), 25))
        assert shown == list(range(25, 60))
        assert not [cause.text for cause in unexamined_causes(media, missing)]


def test_undecodable_content_is_not_missing(tmp_path: Path) -> None:
    """After two damaged packets FFmpeg shows nothing more of this HEVC stream."""
    options = {"x265-params": "log-level=0:keyint=250:bframes=0:scenecut=0"}
    whole = write_clip(tmp_path / "a.mp4", map(numbered, range(60)), codec="libx265", options=options)
    path = whole.with_stem("spoilt")
    with av.open(str(whole)) as given, av.open(str(path), "w") as made:
        source = given.streams.video[0]
        stream = made.add_stream_from_template(source)
        for number, packet in enumerate(packet for packet in given.demux(source) if packet.size):
            if number in (4, 5):
                times = packet.pts, packet.dts, packet.duration, packet.time_base
                packet = av.Packet(bytes(packet)[: packet.size * 2 // 5])
                packet.pts, packet.dts, packet.duration, packet.time_base = times
            packet.stream = stream
            made.mux(packet)
    media, missing, shown = read_facts(path)
    assert shown == [0, 1, 2, 3] and missing == 0
    assert media.lost_at_end == pytest.approx(56 / 25)
    (sentence,) = [cause.text for cause in unexamined_causes(media, missing)]
    assert "the last 2.2 s cannot be decoded" in sentence and "missing" not in sentence
    assert read_facts(whole)[0].lost_at_end == 0


def test_truncated_windows_media_file_lacks_its_end(tmp_path: Path) -> None:
    """FFmpeg tells no duration of a file that is another size than its header says."""
    whole = write_clip(tmp_path / "a.wmv", map(numbered, range(60)), codec="wmv2", options={"g": "12"})
    assert read_facts(whole)[1] == 0
    cut = whole.with_stem("cut")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    media, missing, shown = read_facts(cut)
    assert missing == pytest.approx((60 - len(shown)) / 25, abs=0.1) and missing > 0.8
    (sentence,) = [cause.text for cause in unexamined_causes(media, missing)]
    assert "missing" in sentence
    # A header that breaks off, or with a length that no file has, says nothing.
    data = bytearray(whole.read_bytes())
    assert stated_seconds(io.BytesIO(data[:100])) is None
    data[46:54] = b"\xff" * 8
    assert stated_seconds(io.BytesIO(data)) is None


def test_a_length_estimated_from_the_bit_rate_is_no_statement(tmp_path: Path) -> None:
    """MPEG-1 states its highest bit rate, by which FFmpeg divides the size of a file without a length."""
    path = write_clip(
        tmp_path / "a.mkv",
        map(numbered, range(50)),
        codec="mpeg1video",
        container_options={"live": "1"},
    )
    media, missing, _ = read_facts(path)
    assert media.details is not None and media.details.picture is not None
    assert media.details.picture.container_duration is media.details.picture.stream_duration is None
    assert missing == 0


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.flv"])
def test_late_pictures_do_not_change_the_duration(tmp_path: Path, name: str) -> None:
    codec = {"a.mkv": "libx264", "a.webm": "libvpx", "a.flv": "flv1"}[name]
    times = [75 + number for number in range(50)]
    path = write_clip(tmp_path / name, map(numbered, range(50)), pts=times, codec=codec)
    with open_media(path) as reader:
        list(reader.frames(8.0))
        media, _ = add_metadata(media_facts(reader, name, 1, "0" * 64), reader, path)
    assert media.details is not None and media.details.picture is not None
    assert media.duration == pytest.approx(2, abs=0.05)
    assert "durations disagree" not in {anomaly.kind for anomaly in media.anomalies}


def write_delayed_clip(path: Path, played: float, **how: bool) -> Path:
    """An MP4 of 2.4 s whose edit list waits for three seconds, and plays so many of its pictures."""
    pts, early = range(75, 135), {"movflags": "faststart"}
    write_clip(path, map(numbered, range(60)), pts=pts, container_options=early, **how)
    data = bytearray(path.read_bytes())
    entries = box(bytes(data), b"elst") + 4
    count, wait, media_time = struct.unpack_from(">IIi", data, entries)
    assert (count, wait, media_time) == (2, 3000, -1), "this muxer no longer waits by an empty edit"
    struct.pack_into(">I", data, entries + 16, round(1000 * played))
    path.write_bytes(data)
    return path


class TestAnEditListThatWaits:
    """FFmpeg counts the wait to the pictures' duration where the list plays less than there is."""

    @pytest.mark.parametrize("sound", [False, True])
    @pytest.mark.parametrize("played", [2.4, 1.2])
    def test_an_intact_file_lacks_nothing(self, tmp_path: Path, played: float, sound: bool) -> None:
        media, missing, shown = read_facts(write_delayed_clip(tmp_path / "a.mp4", played, sound=sound))
        assert (len(shown), media.duration, missing) == (25 * played, played, 0)
        assert media.details is not None and media.details.picture is not None
        assert media.details.picture.stream_duration == pytest.approx(played)
        # The sound, of one second, begins with the file.
        assert media.details.picture.container_duration == pytest.approx(played + 3 * sound, abs=0.1)
        kinds = [anomaly.kind for anomaly in container_anomalies(media, media.details)]
        assert "edit list" in kinds and ("durations disagree" in kinds) == sound

    @pytest.mark.parametrize("played", [2.4, 2.0])
    def test_truncated_file_lacks_its_end(self, tmp_path: Path, played: float) -> None:
        path = write_delayed_clip(tmp_path / "a.mp4", played)
        whole = path.read_bytes()
        offset, size, _key = packets(path)[30]
        path.write_bytes(whole[: offset + size])
        media, missing, shown = read_facts(path)
        assert 25 <= len(shown) <= 31
        assert missing == pytest.approx(played - media.duration)
        assert "missing at its end" in " ".join([cause.text for cause in unexamined_causes(media, missing)])


@pytest.mark.parametrize("whole", [1, 2, 3])
def test_complete_frames_of_a_truncated_mp4_are_examined(tmp_path: Path, whole: int) -> None:
    """Decoders with several threads would keep the last frames back, and of so few files all of them."""
    path = write_clip(tmp_path / "a.mp4", map(numbered, range(20)), options={"bf": "2"})
    moved = tmp_path / "table-first.mp4"
    with av.open(str(path)) as given, av.open(str(moved), "w", options={"movflags": "faststart"}) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    offset, size, _key = packets(moved)[whole]
    moved.write_bytes(moved.read_bytes()[: offset + size // 2])
    media, _missing, shown = read_facts(moved)
    assert len(shown) == whole and shown[0] == 0
    assert media.frames_undecodable == 20 - whole


@pytest.mark.parametrize("kept", [1, 40, 100, -1])
def test_fragments_before_a_truncated_one_are_examined(tmp_path: Path, kept: int) -> None:
    """By where the table ends, FFmpeg refuses the whole file, or says nothing."""
    fragments = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    options = {"g": "10", "sc_threshold": "0", "crf": "12", "preset": "veryfast"}
    path = write_clip(
        tmp_path / "a.mp4", map(numbered, range(30)), options=options, container_options=fragments
    )
    whole = path.read_bytes()
    last = whole.rindex(b"moof") - 4
    length = int.from_bytes(whole[last : last + 4])
    path.write_bytes(whole[: last + kept % length])
    media, _missing, shown = read_facts(path)
    assert shown == list(range(20)) and media.frames_undecodable == 1
    with open_media(path) as reader:
        (pts,) = [frame.pts for frame in reader.frames(1000.0) if frame.index == 15]
        assert [number_of(frame.image) for frame in reader.at({pts})] == [15]
    path.write_bytes(whole)
    assert read_facts(path)[0].frames_undecodable == 0


def test_repeated_times_are_no_damage(tmp_path: Path) -> None:
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "b": "2000000"}
    with av.open(str(tmp_path / "twice.mkv"), "w") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts, frame.time_base = number, encoder.time_base
            for packet in encoder.encode(frame):
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = 40 * (number - (number % 10 == 9))
                container.mux(packet)
    media, missing, shown = read_facts(tmp_path / "twice.mkv")
    assert shown == [number for number in range(30) if number % 10 != 9]
    assert (media.frames, media.frames_undecodable, media.frames_out_of_order, missing) == (27, 0, 3, 0)
    (sentence,) = [cause.text for cause in unexamined_causes(media, missing)]
    assert (
        sentence == "3 intact frames with a time not later than that of the frame before were not examined."
    )
    assert media.details is not None
    observations = {
        anomaly.kind: anomaly.observation for anomaly in container_anomalies(media, media.details)
    }
    assert "3 of decoded frames" in observations["time stamps out of order"]
