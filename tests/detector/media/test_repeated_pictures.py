"""Files whose headers count more pictures, or a longer time, than they hold, whole and cut off."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from clips import numbered, write_clip

from detector.media.completeness import lost_frames, missing_seconds
from detector.media.open import open_media
from detector.metadata.exhibit import media_facts
from detector.schema.analysis import Media

EVERY_THIRD = [3 * number for number in range(34)]
BURSTS = [25 * (number // 10) + number % 10 for number in range(40)]
# Containers and codecs in which pictures at irregular times were tried (docs/media.md).
KINDS = [
    ("avi", "mjpeg"),
    ("avi", "mpeg4"),
    ("avi", "rawvideo"),
    ("mp4", "libx264"),
    ("mov", "qtrle"),
    ("3gp", "mpeg4"),
    ("mkv", "ffv1"),
    ("webm", "libvpx"),
    ("flv", "flv1"),
    ("wmv", "wmv2"),
    ("ts", "mpeg2video"),
    ("m2ts", "libx264"),
    ("mpg", "mpeg2video"),
    ("gif", "gif"),
]
_PIXELS = {"mjpeg": "yuvj420p", "rawvideo": "bgr24", "qtrle": "rgb24", "gif": "rgb8"}


def written(path: Path, codec: str, pts: list[int]) -> Path:
    options = {"bf": "0"} if codec == "libx264" else {}
    pictures = map(numbered, range(len(pts)))
    return write_clip(
        path, pictures, pts=pts, codec=codec, pix_fmt=_PIXELS.get(codec, "yuv420p"), options=options
    )


def facts(path: Path) -> tuple[Media, float]:
    with open_media(path) as reader:
        for _ in reader.frames(1000.0, all_decoded=False):
            pass
        media = media_facts(reader, path.name, 1, "0" * 64)
        assert media.frames_undecodable == lost_frames(reader) + reader.tally.undecodable
        return media, missing_seconds(reader)


def remuxed(
    source: Path, path: Path, change: Callable[[int, bytes], bytes], last: float | None = None
) -> Path:
    """A copy of a clip with other packets; ``last`` is how long its last picture stays, in seconds."""
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = given.streams.video[0]
        packets = [packet for packet in given.demux(stream) if packet.size]
        copy = made.add_stream_from_template(stream)
        for number, old in enumerate(packets):
            packet = av.Packet(change(number, bytes(old)))
            packet.pts, packet.dts, packet.time_base = old.pts, old.dts, old.time_base
            packet.duration, packet.is_keyframe, packet.stream = old.duration, old.is_keyframe, copy
            if last is not None and old is packets[-1]:
                packet.duration = round(last / old.time_base)
            made.mux(packet)
    return path


@pytest.mark.parametrize("pts", [EVERY_THIRD, BURSTS], ids=["every third", "bursts"])
@pytest.mark.parametrize(("ending", "codec"), KINDS)
def test_intact_file_with_repetitions_is_whole(
    tmp_path: Path, ending: str, codec: str, pts: list[int]
) -> None:
    media, missing = facts(written(tmp_path / f"a.{ending}", codec, pts))
    assert media.frames_decoded == len(pts)
    assert (media.frames_undecodable, missing) == (0, 0.0)
    assert media.variable_frame_rate or pts is EVERY_THIRD


@pytest.mark.parametrize("pts", [EVERY_THIRD, BURSTS], ids=["every third", "bursts"])
@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_avi_with_repetitions_that_is_cut_off_lacks_its_end(
    tmp_path: Path, codec: str, pts: list[int]
) -> None:
    path = written(tmp_path / "a.avi", codec, pts)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    media, missing = facts(path)
    assert media.frames_decoded < len(pts) and media.frames_undecodable > 0
    assert missing == pytest.approx((pts[-1] + 1) / 25 - media.duration, abs=0.05) and missing > 1


def test_indexed_avi_that_lost_pictures_in_between_is_damaged(tmp_path: Path) -> None:
    path = written(tmp_path / "a.avi", "mjpeg", list(range(75)))
    data = bytearray(path.read_bytes())
    start, stop = data.index(b"movi") + len(data) // 4, data.rindex(b"idx1") * 3 // 4
    data[start:stop] = bytes(stop - start)
    path.write_bytes(data)
    media, _ = facts(path)
    assert media.frames_undecodable > 20


@pytest.mark.parametrize("ending", ["avi", "mp4", "mov", "3gp", "mkv"])
def test_pictures_that_are_not_coded_promise_none(tmp_path: Path, ending: str) -> None:
    """MPEG-4 (ISO/IEC 14496-2, 6.2.5) repeats a picture by one whose ``vop_coded`` is 0."""
    source = write_clip(tmp_path / "a.mp4", map(numbered, range(60)), codec="mpeg4", options={"g": "60"})

    def repeat(number: int, packet: bytes) -> bytes:
        if not number % 3:
            return packet
        seconds = "1" * (number // 25 - (number - 1) // 25)
        bits = f"01{seconds}01{number % 25:05b}100"
        bits += "1" * (-len(bits) % 8)
        return b"\0\0\1\xb6" + int(bits, 2).to_bytes(len(bits) // 8)

    media, missing = facts(remuxed(source, tmp_path / f"b.{ending}", repeat))
    assert (media.frames_undecodable, missing) == (0, 0.0)
    assert media.frames_decoded < 25


def test_vp8_pictures_that_only_others_refer_to_promise_none(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.webm", map(numbered, range(60)), codec="libvpx", options={"g": "60"})
    hidden = remuxed(
        source,
        tmp_path / "b.avi",
        lambda number, packet: bytes([packet[0] & ~16]) + packet[1:] if number % 3 else packet,
    )
    media, missing = facts(hidden)
    assert (media.frames_decoded, media.frames_undecodable, missing) == (20, 0, 0.0)


def test_empty_samples_of_a_quicktime_file_promise_none_and_end_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mov", "mjpeg", list(range(60)))
    data = bytearray(path.read_bytes())
    sizes = data.index(b"stsz") + 16
    for number in (5, 8, 20, 24, 40):  # the sample before takes its bytes, which a JPEG decoder passes over
        before = sizes + 4 * (number - 1)
        struct.pack_into(">II", data, before, sum(struct.unpack_from(">II", data, before)), 0)
    path.write_bytes(data)
    media, missing = facts(path)
    assert (media.frames_decoded, media.frames_undecodable, missing) == (55, 0, 0.0)


@pytest.mark.parametrize(
    ("ending", "codec"),
    [("mkv", "ffv1"), ("webm", "libvpx"), ("flv", "flv1"), ("wmv", "wmv2"), ("avi", "mjpeg")],
)
def test_last_picture_may_stay_unless_the_file_is_cut_off(tmp_path: Path, ending: str, codec: str) -> None:
    """A recording of a screen where nothing moves any more lasts longer than its last block says."""
    source = written(tmp_path / f"a.{ending}", codec, list(range(40)))
    path = remuxed(source, tmp_path / f"b.{ending}", lambda _number, packet: packet, last=5.0)
    media, missing = facts(path)
    assert (media.frames_decoded, media.frames_undecodable, missing) == (40, 0, 0.0)
    cut = path.with_stem("cut")
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    assert facts(cut)[1] > 5
