"""Facts of videos (packets, boxes) and the anomalies that follow."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import PIL.Image
import pytest
from clips import box, numbered, write_clip

from detector.media.containers import read_layout
from detector.media.open import open_media
from detector.media.stream.packet_stats import PacketStats
from detector.metadata.anomalies import find_anomalies
from detector.metadata.exhibit import collect_facts, media_facts
from detector.schema.analysis import Media
from detector.schema.causes.anomalies import UnusedCode
from detector.schema.metadata import Details, clean_text

NOW = datetime(2026, 11, 20, tzinfo=UTC)
GROUPS = "keyint=10:min-keyint=10:scenecut=0"
OPEN = "keyint=12:min-keyint=12:scenecut=0:bframes=2:b-adapt=0:open-gop=1"


def read_facts(path: Path) -> tuple[Media, Details]:
    with open_media(path) as reader:
        list(reader.frames(8))
        return media_facts(reader, path.name, path.stat().st_size, "0" * 64), collect_facts(
            reader, path
        ).details


def anomaly_kinds(path: Path) -> list[str]:
    return [anomaly.kind for anomaly in find_anomalies(*read_facts(path), NOW)]


def make_clip(path: Path, count: int = 35, **how: object) -> Path:
    options = {"crf": "20", "x264-params": GROUPS, **how.pop("options", {})}
    return write_clip(path, (numbered(i) for i in range(count)), options=options, **how)


def remux(source: Path, out: Path, tags: dict[str, str]) -> Path:
    """The same packets in another file with other tags."""
    with av.open(str(source)) as old, av.open(str(out), "w") as new:
        new.metadata.update(tags)
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return out


class TestGroups:
    def test_lengths_and_kinds_of_frames(self, tmp_path: Path) -> None:
        path = make_clip(tmp_path / "a.mp4", options={"x264-params": f"{GROUPS}:bframes=2:b-adapt=0"})
        _, details = read_facts(path)
        groups = details.groups
        assert groups is not None
        assert (groups.packets, groups.key_frames) == (35, 4)
        assert (groups.shortest, groups.longest, groups.median) == (10, 10, 10)
        assert [(r.frames, r.times) for r in groups.lengths] == [(10, 3)]
        assert groups.i_frames == 4 and groups.b_frames > 10
        assert groups.i_frames + groups.p_frames + groups.b_frames + groups.other_frames == 35
        assert groups.with_leading_frames == 0

    def test_open_groups_are_noticed(self, tmp_path: Path) -> None:
        path = make_clip(tmp_path / "a.mp4", options={"x264-params": OPEN})
        groups = read_facts(path)[1].groups
        assert groups is not None and groups.with_leading_frames > 0

    def test_one_key_frame_has_no_distance(self, tmp_path: Path) -> None:
        groups = read_facts(make_clip(tmp_path / "a.mkv", count=8))[1].groups
        assert groups is not None
        assert (groups.key_frames, groups.shortest, groups.longest, groups.median) == (1, None, None, None)


class TestTiming:
    def test_constant(self, tmp_path: Path) -> None:
        timing = read_facts(make_clip(tmp_path / "a.mp4"))[1].timing
        assert timing is not None
        assert timing.least_interval == timing.greatest_interval == timing.median_interval == 0.04
        assert timing.gaps == () and timing.failures == ()

    def test_variable_rate_and_a_gap(self, tmp_path: Path) -> None:
        pts = [*range(0, 400, 40), *range(1400, 1800, 33)]
        path = write_clip(
            tmp_path / "a.mp4",
            map(numbered, range(len(pts))),
            pts=pts,
            time_base=Fraction(1, 1000),
            rate=1000,
        )
        timing = read_facts(path)[1].timing
        assert timing is not None
        assert (timing.least_interval, timing.greatest_interval) == (0.033, 1.04)
        assert [(gap.start, gap.length) for gap in timing.gaps] == [(0.36, 1.04)]
        observed = {anomaly.kind: anomaly.observation for anomaly in find_anomalies(*read_facts(path), NOW)}
        assert (
            observed["gaps in time"] == "There is no new frame for unusually long: 1.040 s from 00:00:00.360."
        )

    def test_failures_have_times(self, tmp_path: Path) -> None:
        from clips import packets

        path = make_clip(tmp_path / "a.mp4", options={"x264-params": f"{GROUPS}:bframes=0"})
        data = bytearray(path.read_bytes())
        at, size, _ = packets(path)[15]
        data[at : at + size] = b"\xff" * size
        path.write_bytes(data)
        media, details = read_facts(path)
        assert details.timing is not None
        assert media.frames_undecodable == len(details.timing.failures) >= 1
        times = [failure.time for failure in details.timing.failures]
        assert all(time is not None and 0.5 <= time <= 1.0 for time in times)

    def test_memory_is_bounded(self) -> None:
        measured = PacketStats()
        for i in range(20_000):
            measured.add_frame(2, 10**9 + i * i, i or None)
            measured.add_failure(i, UnusedCode.PACKET_REFUSED)
        timing = measured.timing(10**9, Fraction(1, 1000))
        assert len(timing.failures) == 100 and len(timing.gaps) <= 16
        assert len(measured.intervals) <= 4096


class TestLayout:
    def test_brand_and_boxes(self, tmp_path: Path) -> None:
        structure = read_facts(make_clip(tmp_path / "a.mp4"))[1].structure
        assert structure is not None
        assert structure.brand == "isom" and "mp41" in structure.compatible
        assert {"ftyp", "mdat", "moov"} <= set(structure.boxes)
        assert structure.descriptions == (1,)

    def test_matroska_has_none(self, tmp_path: Path) -> None:
        assert read_facts(make_clip(tmp_path / "a.mkv"))[1].structure is None

    def test_b_frame_delay_is_no_anomaly(self, tmp_path: Path) -> None:
        path = make_clip(tmp_path / "a.mp4", options={"x264-params": f"{GROUPS}:bframes=2:b-adapt=0"})
        assert read_facts(path)[1].structure.edits[0].media_start == pytest.approx(0.08)
        assert "edit list" not in anomaly_kinds(path)

    def test_hiding_edit_is_reported(self, tmp_path: Path) -> None:
        path = make_clip(tmp_path / "a.mp4", options={"x264-params": f"{GROUPS}:bframes=0"})
        data = bytearray(path.read_bytes())
        if b"elst" not in data:
            pytest.fail("this encoder wrote no edit list")
        struct.pack_into(">i", data, box(bytes(data), b"elst") + 12, 12800)  # media_time: 1 s
        path.write_bytes(data)
        assert "edit list" in anomaly_kinds(path)
        anomalies = find_anomalies(*read_facts(path), NOW)
        assert any("1.000 s into its material" in anomaly.observation for anomaly in anomalies)

    def test_empty_edits_and_speed_are_reported(self, tmp_path: Path) -> None:
        """FFmpeg plays the beginning while a track waits, and all at its own speed."""
        path = make_clip(tmp_path / "a.mp4", options={"x264-params": f"{GROUPS}:bframes=0"})
        edits = [(400, 0, 1 << 16), (1000, -1, 1 << 16), (400, 512, 1 << 15)]
        data = bytearray(path.read_bytes())
        at = box(data, b"elst") + 4
        data[at : at + 16] = struct.pack(">I", 3) + b"".join(struct.pack(">Iii", *edit) for edit in edits)
        for kind in (b"elst", b"edts", b"trak", b"moov"):
            start = box(data, kind) - 8
            struct.pack_into(">I", data, start, int.from_bytes(data[start : start + 4]) + 24)
        path.write_bytes(data)
        (finding,) = (
            anomaly for anomaly in find_anomalies(*read_facts(path), NOW) if anomaly.kind == "edit list"
        )
        assert "track 0 waits 1.000 s after a stretch, for which its beginning was" in finding.observation
        assert "plays at rate 0.5, consists of 2 stretches" in finding.observation

    @pytest.mark.parametrize("cut", [0, 3, 9, 17, 40, 200])
    def test_broken_boxes_are_ignored(self, tmp_path: Path, cut: int) -> None:
        path = tmp_path / "a.mp4"
        path.write_bytes(make_clip(tmp_path / "whole.mp4").read_bytes()[:cut])
        with path.open("rb") as file:
            read_layout(file)

    def test_malformed_boxes_are_bounded(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mp4"
        path.write_bytes((struct.pack(">I4s", 0, b"moov") * 3000) + struct.pack(">I4s", 4, b"trak"))
        with path.open("rb") as file:
            assert len(read_layout(file).boxes) <= 32

    @pytest.mark.parametrize("behind", [b"", bytes(4), bytes(12), struct.pack(">I4s", 3, b"odd ")])
    def test_xmp_in_the_user_data_of_quicktime(self, behind: bytes) -> None:
        """Whatever stands behind it there, boxes after the user data are read."""
        inside = make_box(b"name", b"x") + make_box(b"XMP_", b"<x:xmpmeta/>") + behind
        track = make_box(b"trak", make_box(b"tkhd", struct.pack(">IIIII", 0, 100, 200, 1, 0)))
        layout = read_layout(
            io.BytesIO(make_box(b"moov", make_box(b"udta", inside) + track) + make_box(b"mdat"))
        )
        assert layout.xmp == b"<x:xmpmeta/>" and layout.boxes == ["moov", "mdat"]
        assert [(stamp.place, stamp.written) for stamp in layout.times] == [
            ("track 0", "100"),
            ("track 0", "200"),
        ]


def make_box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


class TestEncoders:
    def test_settings_of_x264_are_read(self, tmp_path: Path) -> None:
        encoding = read_facts(make_clip(tmp_path / "a.mp4"))[1].encoding
        assert encoding is not None
        assert len(encoding.texts) == 1 and encoding.texts[0].startswith("x264 - core")
        assert "keyint=10" in encoding.texts[0]

    def test_two_encodings_joined(self, tmp_path: Path) -> None:
        """The second half of the packets comes from another encoder run with its headers in band."""
        halves = [
            make_clip(tmp_path / "1.avi", options={"crf": "20"}),
            make_clip(tmp_path / "2.avi", options={"crf": "30"}),
        ]
        joined = tmp_path / "joined.avi"
        with av.open(str(joined), "w") as out:
            stream, start = None, 0
            for half in halves:
                with av.open(str(half)) as source:
                    stream = stream or out.add_stream_from_template(source.streams.video[0])
                    for packet in source.demux(source.streams.video[0]):
                        if packet.size:
                            copy = av.Packet(bytes(packet))
                            copy.stream, copy.time_base = stream, packet.time_base
                            copy.pts = copy.dts = start = start + 1
                            copy.is_keyframe = packet.is_keyframe
                            out.mux(copy)
        encoding = read_facts(joined)[1].encoding
        assert encoding is not None and len(encoding.texts) == 2
        assert "more than one encoding" in anomaly_kinds(joined)
        assert "more than one encoding" not in anomaly_kinds(halves[0])


class TestTags:
    def test_no_tags_cause_no_anomalies(self, tmp_path: Path) -> None:
        source = make_clip(tmp_path / "a.mp4")
        bare = tmp_path / "b.mp4"
        with av.open(str(source)) as old, av.open(str(bare), "w", options={"fflags": "+bitexact"}) as new:
            stream = new.add_stream_from_template(old.streams.video[0])
            for packet in old.demux(old.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
        assert [tag.name for tag in read_facts(bare)[1].tags] in ([], ["handler_name"])
        assert anomaly_kinds(bare) == []
        assert read_facts(bare)[1].times == () and read_facts(bare)[1].location is None

    def test_an_editor_and_a_converter(self, tmp_path: Path) -> None:
        source = make_clip(tmp_path / "a.mp4")
        edited = remux(source, tmp_path / "b.mkv", {"software": "Adobe Premiere Pro 24.1"})
        assert "editing software" in anomaly_kinds(edited)
        assert "editing software" not in anomaly_kinds(source) and "converted" in anomaly_kinds(source)

    def test_program_name_must_be_a_word(self, tmp_path: Path) -> None:
        source = make_clip(tmp_path / "a.mp4")
        path = remux(source, tmp_path / "b.mkv", {"title": "Photoshop course", "software": "Davids Avidly 2"})
        assert "editing software" not in anomaly_kinds(path)

    def test_location_is_published(self, tmp_path: Path) -> None:
        source = make_clip(tmp_path / "a.mp4")
        path = remux(source, tmp_path / "b.mov", {"location": "+52.5200+013.4050/"})
        assert read_facts(path)[1].location == "+52.5200+013.4050/"

    @pytest.mark.parametrize(
        ("when", "kind"),
        [
            ("2031-01-01T00:00:00Z", "time in the future"),
            ("1970-01-02T00:00:00Z", "time before digital video"),
            ("2020-05-06T07:08:09Z", None),
        ],
    )
    def test_clocks(self, tmp_path: Path, when: str, kind: str | None) -> None:
        path = remux(make_clip(tmp_path / "a.mp4"), tmp_path / "b.mp4", {"creation_time": when})
        times = read_facts(path)[1].times
        assert times and times[0].utc == when
        assert [k for k in anomaly_kinds(path) if "time" in k and "stamps" not in k] == (
            [kind] if kind else []
        )

    def test_file_and_stream_of_different_days(self, tmp_path: Path) -> None:
        tags = {"creation_time": "2020-05-06T07:08:09Z"}
        path = remux(make_clip(tmp_path / "a.mp4"), tmp_path / "b.mp4", tags)
        assert "creation times disagree" not in anomaly_kinds(path)
        data = bytearray(path.read_bytes())
        at = box(bytes(data), b"mdhd") + 4
        struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] - 400 * 86400)
        path.write_bytes(data)
        assert "creation times disagree" in anomaly_kinds(path)

    def test_hostile_tags_are_cleaned_and_bounded(self, tmp_path: Path) -> None:
        hostile = {
            "title": "a\u202egnp.exe\x07\n" + "x" * 100_000,
            "date": "9999-99-99T99:99:99Z",  # FFmpeg writes no creation_time that it cannot read
            **{f"tag{i}": "v" for i in range(1000)},
        }
        path = remux(make_clip(tmp_path / "a.mkv"), tmp_path / "b.mkv", hostile)
        details = read_facts(path)[1]
        assert len(details.tags) == 200 and details.tags_left_out > 700
        title = next(tag.value for tag in details.tags if tag.name == "title")
        assert len(title) <= 300 and "\\u202e" in title and title.isprintable()
        (moment,) = details.times
        assert moment.written == hostile["date"] and moment.utc is None
        anomaly_kinds(path)

    def test_invalid_utf8_is_accepted(self, tmp_path: Path) -> None:
        path = remux(make_clip(tmp_path / "a.mkv"), tmp_path / "b.mkv", {"title": "MARKMARK"})
        path.write_bytes(path.read_bytes().replace(b"MARKMARK", b"\xff\xfe\x80MARK\xc3"))
        assert any("MARK" in tag.value for tag in read_facts(path)[1].tags)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\u202eb", "a\\u202eb"),
        (b"\xff\x00", "\ufffd"),
        ("\ud800", "\\ud800"),
        ("日本 \u200f", "日本 \\u200f"),
        ("x" * 400, "x" * 299 + "…"),
        ("\0" * 400, ""),
    ],
)
def test_clean(text: object, shown: str) -> None:
    assert clean_text(text) == shown


def test_sound_is_reported_as_not_examined(tmp_path: Path) -> None:
    streams = read_facts(make_clip(tmp_path / "a.mp4", sound=True))[1].streams
    assert [(s.kind, s.examined, s.channels, s.sample_rate) for s in streams] == [
        ("video", True, None, None),
        ("audio", False, 1, 8000),
    ]


@pytest.mark.parametrize(
    ("hidden", "words"), [(1, "1 frame is in the file and not"), (2, "2 frames are in the file and not")]
)
def test_frames_hidden_by_an_edit_are_counted(tmp_path: Path, hidden: int, words: str) -> None:
    media, details = read_facts(make_clip(tmp_path / "a.mp4"))
    assert details.timing is not None
    timing = details.timing.model_copy(update={"packets_not_shown": hidden})
    anomalies = find_anomalies(media, details.model_copy(update={"timing": timing}), NOW)
    (observation,) = (anomaly.observation for anomaly in anomalies if anomaly.kind == "edit list")
    assert words in observation


def test_frames_out_of_order_at_one_a_second_are_no_edit_list(tmp_path: Path) -> None:
    """x264 lets the first frame wait for two others, which here is two seconds."""
    path = write_clip(
        tmp_path / "a.mp4", map(numbered, range(8)), time_base=Fraction(1), rate=1, options={"bf": "3"}
    )
    assert "edit list" not in anomaly_kinds(path)


def test_av1_name_and_level(tmp_path: Path) -> None:
    """Its decoder is called libdav1d, and its lowest level, 2.0, has the number 0."""
    pictures = (numbered(number) for number in range(5))
    options = {"preset": "12", "svtav1-params": "lp=1"}
    media, details = read_facts(write_clip(tmp_path / "a.mp4", pictures, codec="libsvtav1", options=options))
    assert media.codec == details.streams[0].codec == "av1"
    assert details.picture is not None and details.picture.level == 0


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_animation_has_no_rate(tmp_path: Path, kind: str) -> None:
    """FFmpeg gives WebP 25 a second, its default, and GIF an average."""
    path = tmp_path / f"a.{kind}"
    first, *others = [PIL.Image.fromarray(numbered(number)) for number in range(4)]
    first.save(path, save_all=True, append_images=others, duration=[70, 120, 70, 120])
    media, details = read_facts(path)
    assert media.variable_frame_rate and media.duration == pytest.approx(0.38)
    assert details.picture is not None and details.picture.declared_frame_rate is None


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("pixels", ["yuva420p", "yuv420p"])
def test_webm_transparency_is_reported(tmp_path: Path, codec: str, pixels: str) -> None:
    with av.open(tmp_path / "clip.webm", "w") as container:
        stream = container.add_stream(codec, rate=10, options={"auto-alt-ref": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for number in range(3):
            frame = av.VideoFrame(64, 48, pixels)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    has_anomaly = "transparency that was not examined" in anomaly_kinds(tmp_path / "clip.webm")
    assert has_anomaly == (pixels == "yuva420p")
