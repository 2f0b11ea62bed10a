"""Frames that depend on damaged or missing pictures are recognised and not sampled."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from clips import numbered, write_clip

from detector.errors import MediaError
from detector.media.open import open_media
from detector.media.stream.packet_stats import Tally
from detector.metadata.exhibit import collect_facts, media_facts
from detector.schema.analysis import Media
from detector.verdict.coverage import FROM_DAMAGED, damage_gaps, damaged_spans, unexamined_causes

FRAMES = 120
_X264 = {"crf": "20", "preset": "veryfast", "sc_threshold": "0", "g": "40", "keyint_min": "40"}
# Name, codec, options.
STREAMS = {
    "no B frames": ("a.mp4", "libx264", _X264 | {"bf": "0"}),
    "closed groups": ("a.mp4", "libx264", _X264 | {"bf": "3", "b-pyramid": "normal"}),
    "open groups": ("a.mkv", "libx264", _X264 | {"bf": "3", "x264-params": "open-gop=1:b-pyramid=normal"}),
    "refreshed": ("a.mp4", "libx264", _X264 | {"bf": "0", "x264-params": "intra-refresh=1"}),
    "refreshed, with B frames": ("a.mp4", "libx264", _X264 | {"bf": "2", "x264-params": "intra-refresh=1"}),
    "transport stream": ("a.ts", "libx264", _X264 | {"bf": "3", "b-pyramid": "normal"}),
    "HEVC": ("a.mp4", "libx265", {"x265-params": "log-level=0:keyint=40:bframes=3"}),
    "VP9": ("a.webm", "libvpx-vp9", {"g": "40", "deadline": "realtime", "cpu-used": "8"}),
    "MPEG-4 in AVI": ("a.avi", "mpeg4", {"g": "40", "b": "2000000"}),
    "MPEG-2": ("a.ts", "mpeg2video", {"g": "15", "bf": "2", "b": "4000000"}),
    "Motion JPEG": ("a.avi", "mjpeg", {}),
}


def cut_to_two_fifths(packet: av.Packet) -> bytes | None:
    return bytes(packet)[: packet.size * 2 // 5]


def cut_to_its_head(packet: av.Packet) -> bytes | None:
    return bytes(packet)[:6]


def remove_packet(packet: av.Packet) -> bytes | None:
    return None


def damage_packets(
    whole: Path, numbers: Iterable[int], how: Callable[[av.Packet], bytes | None] = cut_to_two_fifths
) -> Path:
    """A copy in which these packets of the picture, in the order of the file, are other bytes or gone."""
    path = whole.with_stem("spoilt")
    with av.open(str(whole)) as given, av.open(str(path), "w") as made:
        source = given.streams.video[0]
        stream = made.add_stream_from_template(source)
        for number, packet in enumerate(packet for packet in given.demux(source) if packet.size):
            if number in numbers:
                if (other := how(packet)) is None:
                    continue
                times = packet.pts, packet.dts, packet.duration, packet.time_base
                packet = av.Packet(other)
                packet.pts, packet.dts, packet.duration, packet.time_base = times
            packet.stream = stream
            made.mux(packet)
    return path


def write_stream(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / STREAMS[kind][0]
    path.write_bytes(_encode(kind))
    return path


@cache
def _encode(kind: str) -> bytes:
    name, codec, options = STREAMS[kind]
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    pictures = map(numbered, range(FRAMES))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        return write_clip(path, pictures, codec=codec, options=options, pix_fmt=pix_fmt).read_bytes()


def decode_all(path: Path, threads: int = 3) -> tuple[dict[int, np.ndarray], Tally]:
    """Grey levels of all frames by their time in the 25ths of a second of the clip."""
    with open_media(path) as reader:
        reader.stream.codec_context.thread_count = threads
        frames = {pts: frame.to_ndarray(format="gray") for frame, pts in reader.every_frame()}
    return frames, reader.tally


def largest_difference(image: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(image.astype(int) - other).max())


def sample_frames(path: Path, threads: int = 3, all_decoded: bool = True) -> tuple[list[int], Tally]:
    with open_media(path) as reader:
        reader.stream.codec_context.thread_count = threads
        return [frame.pts for frame in reader.frames(25.0, all_decoded)], reader.tally


def read_facts(path: Path) -> Media:
    with open_media(path) as reader:
        times = [float(frame.time) for frame in reader.frames(8.0, all_decoded=False)]
        facts = media_facts(reader, path.name, 1, "0" * 64)
        media = facts.model_copy(update={"details": collect_facts(reader, path).details})
    assert not any(span.start < time < span.end for span in damaged_spans(media) for time in times)
    assert not list(damage_gaps(media, times, 8.0))
    return media


@pytest.mark.parametrize("kind", STREAMS)
def test_damaged_frames_are_reported_up_to_the_next_key_frame(tmp_path: Path, kind: str) -> None:
    whole = write_stream(tmp_path, kind)
    intact, tally = decode_all(whole)
    assert tally.damage.frames == 0 and not list(tally.damage.spans()) and len(intact) == FRAMES
    # Of these codecs FFmpeg does not notice what is missing at the end of a packet.
    how = cut_to_its_head if kind in ("VP9", "Motion JPEG") else cut_to_two_fifths
    slack = (
        8 if kind == "refreshed, with B frames" else 0
    )  # by x264: it refers a little beyond what is refreshed
    for numbers in ((5,), (20, 21), (13, 50)):
        spoilt, tally = decode_all(damage_packets(whole, numbers, how))
        damage = tally.damage
        assert tally.undecodable
        differing = {pts for pts, frame in spoilt.items() if largest_difference(frame, intact[pts]) > slack}
        resting = {pts for pts in spoilt if damage.is_spoilt_at(pts)}
        assert differing <= resting, numbers
        assert len(resting) == damage.frames
        if kind == "Motion JPEG":
            assert not resting
        # Two groups or refreshes of 40 are spoilt at most; a refresh takes the rest of the one that it is in.
        assert len(spoilt) - len(resting) >= 20


@pytest.mark.parametrize("kind", ["no B frames", "closed groups", "open groups", "transport stream"])
def test_missing_picture_is_detected_by_frame_numbers(tmp_path: Path, kind: str) -> None:
    whole = write_stream(tmp_path, kind)
    intact, _ = decode_all(whole)
    for numbers in ((5,), (40,), (20, 21)):
        spoilt, tally = decode_all(damage_packets(whole, numbers, remove_packet))
        differing = {pts for pts, frame in spoilt.items() if not np.array_equal(frame, intact[pts])}
        assert differing <= {pts for pts in spoilt if tally.damage.is_spoilt_at(pts)}, numbers


def remove_pictures(whole: Path, numbers: Iterable[int]) -> Path:
    """A copy of a transport stream that these pictures' packets of 188 bytes did not reach."""
    path, data, picture, kept = whole.with_stem("spoilt"), whole.read_bytes(), -1, b""
    for at in range(0, len(data), 188):
        packet = data[at : at + 188]
        if of_video := (packet[1] & 31) << 8 | packet[2] == 256:
            picture += packet[1] >> 6 & 1  # where one begins (ISO/IEC 13818-1, 2.4.3.3)
        if not (of_video and picture in numbers):
            kept += packet
    path.write_bytes(kept)
    return path


def test_missing_mpeg2_picture_is_detected_by_packet_counter(tmp_path: Path) -> None:
    """Its decoder predicts those that follow from what is left, and says nothing."""
    whole = write_stream(tmp_path, "MPEG-2")
    intact, _ = decode_all(whole)
    for numbers in ((4,), (34, 35, 36)):  # each with one to which others refer
        spoilt, tally = decode_all(remove_pictures(whole, numbers))
        differing = {pts for pts, frame in spoilt.items() if not np.array_equal(frame, intact[pts])}
        resting = {pts for pts in spoilt if tally.damage.is_spoilt_at(pts)}
        assert differing and differing <= resting, numbers
        assert len(spoilt) - len(resting) >= 90


@pytest.mark.parametrize("kind", ["closed groups", "open groups", "transport stream", "HEVC"])
def test_result_is_independent_of_threads(tmp_path: Path, kind: str) -> None:
    """But for the spoilt frames themselves: FFmpeg's threads show one before its errors are known, at times.

    Where a later packet's thread puts it out while its own still decodes, the flags are those of then.
    """
    numbers = 7, 8, 60
    path = damage_packets(write_stream(tmp_path, kind), numbers)
    with av.open(str(path)) as container:
        packets = [packet.pts for packet in container.demux(video=0) if packet.size]
    own = {packets[number] for number in numbers}
    reference, *others = [sample_frames(path, threads) for threads in (1, 2, 9)]
    for pts, tally in others:
        assert set(pts) ^ set(reference[0]) <= own
        assert tally.damage.frames == reference[1].damage.frames
        assert list(tally.damage.spans()) == list(reference[1].damage.spans())
        assert pts != reference[0] or tally.packets.timing(0, 1) == reference[1].packets.timing(0, 1)


@pytest.mark.parametrize("all_decoded", [True, False])
def test_damaged_frames_are_counted_and_not_sampled(tmp_path: Path, all_decoded: bool) -> None:
    whole = write_stream(tmp_path, "closed groups")
    path = damage_packets(whole, {1})
    every, intact = sample_frames(whole)
    some, tally = sample_frames(path, all_decoded=all_decoded)
    damage = tally.damage
    assert intact.not_sampled == 0 and tally.frames == FRAMES - 1
    assert 20 <= damage.frames == tally.not_sampled < 40
    assert len(some) == FRAMES - 1 - damage.frames
    assert not any(damage.is_spoilt_at(pts) for pts in some)
    assert set(some) < set(every) and tally.undecodable == 1


@pytest.mark.parametrize("kind", ["closed groups", "HEVC"])
def test_unreferenced_refused_picture_is_harmless(tmp_path: Path, kind: str) -> None:
    whole = write_stream(tmp_path, kind)
    intact, _ = decode_all(whole)
    harmless = 0
    for number in range(4, 12):
        spoilt, tally = decode_all(damage_packets(whole, {number}))
        if not tally.damage.frames and len(spoilt) + tally.undecodable == FRAMES:
            harmless += 1
            assert all(np.array_equal(frame, intact[pts]) for pts, frame in spoilt.items())
    assert harmless >= 3


def test_reason_mentions_damaged_frames(tmp_path: Path) -> None:
    media = read_facts(damage_packets(write_stream(tmp_path, "no B frames"), {45}))
    assert media.frames_undecodable == 1
    assert media.frames_from_damaged == 80 - 45 - 1
    (span,) = damaged_spans(media)
    assert span.cause == FROM_DAMAGED
    assert (span.start, span.end) == pytest.approx((46 / 25, 80 / 25))
    (sentence,) = [cause.text for cause in unexamined_causes(media, 0.0)]
    assert "frames that depend on damaged or missing ones were not examined (34)" in sentence


def test_completely_damaged_clip_is_refused(tmp_path: Path) -> None:
    name, codec, _ = STREAMS["MPEG-4 in AVI"]
    path = write_clip(
        tmp_path / name, map(numbered, range(30)), codec=codec, options={"g": "40", "b": "2000000"}
    )
    path = damage_packets(path, {0}, cut_to_its_head)
    with open_media(path) as reader, pytest.raises(MediaError, match="damaged"):
        list(reader.frames(8.0))


def test_live_stream_recovers_after_a_while(tmp_path: Path) -> None:
    path = damage_packets(
        write_clip(tmp_path / "a.mp4", map(numbered, range(FRAMES)), options=_X264 | {"g": "250"}), {1}
    )
    with open_media(path) as reader:
        reader.tally.damage.recovers_after = int(2 / reader.time_base)
        list(reader.frames(25.0))
        assert 2 * 25 <= reader.tally.damage.frames <= 2 * 25 + 5


def test_single_wrong_time_delays_nothing(tmp_path: Path) -> None:
    """Those shown before others on which they may rest wait for them, though not without end."""
    from detector.media.stream.damage import Damage

    damage = Damage()
    for pts in (0, 10**12, *range(1, 100)):
        packet = av.Packet(b"0")
        packet.pts = packet.dts = pts
        damage.add(packet)
    for pts in range(100):
        damage.add_frame(pts, pts)
        assert damage.is_known(pts - 20)
