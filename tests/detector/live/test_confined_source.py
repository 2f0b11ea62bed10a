"""What decodes a live source is confined, and what comes out of it is trusted to be pictures alone."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import number_of, numbered, write_clip

from detector.errors import MediaError, ParameterError
from detector.live import sources
from detector.live.sources import LiveSource, open_confined, open_source, read_frames
from detector.sandbox import CrashError, LimitError, capabilities


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("confined") / "clip.mp4", [numbered(n) for n in range(50)])


def source(path: Path) -> LiveSource:
    return LiveSource("file", str(path))


def children() -> list[Path]:
    """This process's children that run, as folders below /proc."""
    processes = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"\nPPid:\t{os.getpid()}\n" in text and "State:\tZ" not in text:
            processes.append(status.parent)
    return processes


def test_frames_match_the_file(clip):
    with open_source(source(clip), 8.0) as frames:
        expected = [(frame.pts, frame.time, frame.image) for frame in frames]
    with open_confined(source(clip), 8.0) as frames:
        got = [(frame.pts, frame.time, frame.image) for frame in frames]
    assert [row[:2] for row in got] == [row[:2] for row in expected]
    assert all(np.array_equal(sample[2], other[2]) for sample, other in zip(got, expected, strict=True))
    assert [number_of(image) for *_, image in got][:3] == [0, 4, 7]


def test_decoding_is_confined(clip, monkeypatch):
    parent = os.getpid()

    def elsewhere(*what):
        assert os.getpid() != parent
        return open_source(*what)

    if not (capabilities().calls and capabilities().files):
        pytest.skip(f"this machine offers only {capabilities()}")
    monkeypatch.setattr(sources, "open_source", elsewhere)
    before = set(children())
    with open_confined(source(clip), 25.0) as frames:
        next(frames)
        (process,) = set(children()) - before
        text = (process / "status").read_text()
        assert "Seccomp:\t2" in text and "NoNewPrivs:\t1" in text
        if capabilities().network:
            assert (process / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    assert not set(children()) - before


@pytest.mark.parametrize("name", ["a relative name", "a link"])
def test_files_are_found_by_any_name(clip, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("link.mp4").symlink_to(clip)
    path = Path("link.mp4") if name == "a link" else Path(os.path.relpath(clip))
    with open_confined(source(path), 1.0) as frames:
        assert len(list(frames)) == 2


def test_unreadable_source_is_reported(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with (
        pytest.raises(MediaError, match="cannot be read"),
        open_confined(source(tmp_path / "text.mp4"), 8) as f,
    ):
        next(f)


def test_memory_limit_ends_the_source(clip, monkeypatch):
    monkeypatch.setenv("REELPROOF_MEMORY_LIMIT_MB", "20")
    # Where FFmpeg is refused the memory first, it calls the file unreadable.
    with pytest.raises((LimitError, CrashError, MediaError)), open_confined(source(clip), 8) as frames:
        list(frames)


def test_stop_works_while_no_frame_arrives():
    reader, writer = os.pipe()
    assert list(read_frames(reader, Quiet(), lambda: True)) == []
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("address", "ports"),
    [
        ("rtsp://camera.example/1", (554,)),
        ("RTSPS://ada:secret@camera.example/1", (322,)),
        ("rtsp://[2001:db8::1]:8554/1", (8554,)),
        ("http://camera.example/", (80, 443)),
        ("https://camera.example:8443/a", (8443,)),
    ],
)
def test_stream_may_connect_to_its_own_port_only(address, ports):
    _, places = sources._allowed(LiveSource("stream", address))
    assert (places.readable, places.writable, places.ports) == ((), (), ports)


def test_camera_may_open_its_device_only():
    for name in ("3", "/dev/video3"):
        _, places = sources._allowed(LiveSource("camera", name))
        assert (places.readable, places.writable, places.ports) == ((), (Path("/dev/video3"),), ())


@pytest.mark.parametrize(
    "address", ["rtsp://camera.example:many/1", "http://camera.example:99999/", "http://[camera.example/"]
)
def test_address_without_valid_host_or_port(address):
    with (
        pytest.raises(ParameterError, match=r"camera\.example.*: its host or port makes no sense"),
        open_confined(LiveSource("stream", address), 8),
    ):
        pass


class Quiet:
    """A process that says nothing and uses nothing."""

    def check_limits(self) -> None:
        pass

    def result(self) -> int:
        return 0


def head(
    pts: int = 0,
    time: tuple[int, int] = (0, 1),
    size: tuple[int, int] = (2, 2),
    shape: tuple[int, int] = (0, 0),
) -> bytes:
    return struct.pack("<qQQIIII", pts, *time, *size, *shape)


def told(data: bytes) -> list:
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    try:
        return [
            (frame.pts, frame.time, frame.image.shape, frame.shape)
            for frame in read_frames(reader, Quiet(), lambda: False)
        ]
    finally:
        os.close(reader)


def test_valid_data_becomes_a_frame():
    data = head(7, (1, 8)) + bytes(12) + head(9, (2, 8), (1, 3), (4, 5)) + bytes(9)
    assert told(data) == [(7, Fraction(1, 8), (2, 2, 3), None), (9, Fraction(1, 4), (1, 3, 3), (4, 5))]
    assert told(b"") == []


@pytest.mark.parametrize(
    "data",
    [
        head(size=(0, 5)),
        head(size=(2**31, 2**31)),
        head(size=(16_385, 8_192)),
        head(time=(0, 0)),
        head(time=(2**63, 1)),
        head(time=(1, 1)) + bytes(12) + head(time=(1, 2)) + bytes(12),
        head()[:9],
        head() + bytes(5),
        b"[" * 32,
    ],
)
def test_data_of_a_hijacked_decoder_is_rejected(data):
    with pytest.raises(CrashError):
        told(data)
