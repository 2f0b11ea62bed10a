"""Read live frames from a camera, a stream or a file, decoded in a confined process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import av
import cv2
import numpy as np

from detector.errors import MediaError, ParameterError
from detector.media.acceptance import VIDEO_DEMUXERS, InputLimits
from detector.media.frame import Frame, Image
from detector.media.open import open_media
from detector.media.photos import UPRIGHT
from detector.media.reader import MediaReader
from detector.progress import Progress
from detector.sandbox import AllowedPaths, CrashError, Sandbox
from detector.sandboxed_engine import limits_of_environment
from detector.schema.formatting import N_

# Formats and protocols of network cameras. Playlists are excluded, because they name further addresses.
_STREAM_FORMATS = ("rtsp", "sdp", "rtp", "mpegts", "mpjpeg", "h264", "hevc", *VIDEO_DEMUXERS)
# FFmpeg knows no timestamps for these and assumes 25 frames a second.
_WITHOUT_CLOCK = ("mpjpeg", "h264", "hevc")
_PROTOCOLS = "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,crypto"
_ADDRESS = re.compile(r"(rtsps?|https?)://[^\s]+", re.IGNORECASE)
_OPEN_WITHIN, _READ_WITHIN = 10.0, 10.0  # seconds
# Streams lose packets and may have few key frames; after this many seconds frames are scored without one.
_UNKEYED = 10
_ENDLESS = InputLimits(frames=2**62, seconds=float("inf"))


@dataclass(frozen=True)
class LiveSource:
    """A camera by number or device, a stream by address, or a file."""

    kind: Literal["camera", "stream", "file"]
    name: str

    @property
    def live(self) -> bool:
        """Whether frames are lost unless they are taken at once."""
        return self.kind != "file"

    @property
    def label(self) -> str:
        """A name for others to read, without password, path or folder."""
        if self.kind == "camera":
            return f"Camera {self.name}"
        if self.kind == "file":
            return Path(self.name).name
        scheme, _, remainder = self.name.partition("://")
        host = re.split(r"[/?#]", remainder)[0]
        # A password may contain a slash; the text before it is no host.
        return f"{scheme}://{'…' if '@' in remainder[len(host) :] else host.rpartition('@')[2]}"


def parse_source(text: str) -> LiveSource:
    """Parse ``text`` as a source; raises :class:`ParameterError` if that fails."""
    if re.fullmatch(r"\d{1,3}", text) or re.fullmatch(r"/dev/video\d{1,3}", text):
        return LiveSource("camera", text)
    if _ADDRESS.fullmatch(text):
        return LiveSource("stream", text)
    if "://" in text:
        raise ParameterError(f"{text}: addresses begin with rtsp://, rtsps://, http:// or https://.")
    if not Path(text).is_file():
        raise ParameterError(
            f"{text} is no file. Name a video, a camera by its number (0) or device (/dev/video0), or the "
            "address of a stream (rtsp://…)."
        )
    return LiveSource("file", text)


def camera_device(source: LiveSource) -> Path:
    """Return the device of a camera."""
    return Path(f"/dev/video{_camera_number(source.name)}")


@contextmanager
def open_source(source: LiveSource, sample_rate: float) -> Iterator[Iterator[Frame]]:
    """Yield the sampled frames of a source, decoded in this process; call it in a confined one.

    Raises :class:`MediaError` if it cannot be opened.
    """
    if source.kind == "file":
        with open_media(Path(source.name)) as reader:
            yield reader.frames(sample_rate)
    elif source.kind == "stream":
        with _stream(source.name) as reader:
            yield _unbroken(reader, sample_rate)
    else:
        with _camera(source.name) as frames:
            yield _sampled(frames, sample_rate)


@contextmanager
def _stream(address: str) -> Iterator[MediaReader]:
    options = {"format_whitelist": ",".join(_STREAM_FORMATS), "protocol_whitelist": _PROTOCOLS}
    if address.lower().startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    try:
        container = _opened(address, options)
        if container.format.name in _WITHOUT_CLOCK:
            container.close()
            container = _opened(address, options | {"use_wallclock_as_timestamps": "1"})
    except (av.FFmpegError, ValueError, OSError) as problem:
        reason = getattr(problem, "strerror", None) or type(problem).__name__
        raise MediaError(
            f"The stream cannot be opened: {reason}. Check its address and the network."
        ) from None
    with container:
        reader = MediaReader(container, UPRIGHT, _ENDLESS)
        reader.tally.damage.recovers_after = int(_UNKEYED / reader.time_base)
        yield reader


def _opened(address: str, options: dict[str, str]) -> av.container.InputContainer:
    return av.open(address, mode="r", options=options, timeout=(_OPEN_WITHIN, _READ_WITHIN))


def _unbroken(reader: MediaReader, sample_rate: float) -> Iterator[Frame]:
    """Yield the sampled frames of a stream; raises :class:`MediaError` at the end if it broke off."""
    yield from reader.frames(sample_rate)
    if reader.tally.broke_off:
        raise MediaError(
            N_(
                "The stream broke off: the connection was lost, or nothing arrived for %(seconds)s "
                "seconds. Check the camera and the network, and start again."
            )
            % {"seconds": f"{_READ_WITHIN:.0f}"}
        )


@contextmanager
def _camera(name: str) -> Iterator[Iterator[Image]]:
    capture = cv2.VideoCapture(_camera_number(name), cv2.CAP_V4L2)
    try:
        if not capture.isOpened():
            raise MediaError(
                f"Camera {name} cannot be opened. Look whether it is plugged in, whether another program "
                "uses it, and whether you may read its device."
            )
        yield _captured(capture)
    finally:
        with contextlib.suppress(cv2.error):
            capture.release()


def _camera_number(name: str) -> int:
    return int(re.sub(r"\D", "", name))


def _captured(capture: cv2.VideoCapture) -> Iterator[Image]:
    while True:
        success, picture = capture.read()
        if not success:
            return
        yield np.ascontiguousarray(picture[..., ::-1])


def _sampled(pictures: Iterator[Image], sample_rate: float) -> Iterator[Frame]:
    """Yield the first picture of each sampling interval by this machine's clock; PTS in milliseconds."""
    first = time.monotonic()
    last_interval = -1
    for picture in pictures:
        passed = time.monotonic() - first
        if int(passed * sample_rate) > last_interval:
            last_interval = int(passed * sample_rate)
            pts = round(passed * 1000)
            yield Frame(pts, Fraction(pts, 1000), picture)


# PTS, seconds as a fraction, height, width, and the size before resizing or 0; the pixels follow.
_HEAD = struct.Struct("<qQQIIII")
_PIPE = 1 << 20  # bytes
_LOOK_EVERY = 0.05  # seconds
_ENDLESS_CONFINED_SOURCE = 10**9  # seconds of processor time, and of a source
_NOTHING = 1_000_000  # bytes that may be written to files
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


@contextmanager
def open_confined(
    source: LiveSource, sample_rate: float, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Iterator[Frame]]:
    """Yield the sampled frames of a source until it ends or ``stopped`` returns True.

    Raises :class:`MediaError` if it cannot be opened, :class:`ParameterError` for an invalid address, and the
    errors of :mod:`detector.sandbox` for a source that exceeds its limits or crashes the decoder.
    """
    source, places = _allowed(source)
    limits = replace(
        limits_of_environment(), cpu=_ENDLESS_CONFINED_SOURCE, wall=_ENDLESS_CONFINED_SOURCE, written=_NOTHING
    )
    reader, writer = os.pipe()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reader)
        try:
            with contextlib.suppress(OSError):
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE)
            confined = Sandbox(
                *(_decode, source, sample_rate, writer),
                limits=limits,
                places=places,
                modules=("detector.live.sources",),
                files=(writer,),
            )
        finally:
            os.close(writer)
        stack.enter_context(confined)
        yield read_frames(reader, confined, stopped)


def _allowed(source: LiveSource) -> tuple[LiveSource, AllowedPaths]:
    """Return the source as named from another folder, and what its process may access."""
    if source.kind == "camera":
        return source, AllowedPaths(writable=(camera_device(source),))
    if source.kind == "stream":
        return source, AllowedPaths(ports=_ports(source.name))
    path = Path(source.name).absolute()
    return replace(source, name=str(path)), AllowedPaths(readable=(path,))


def _ports(address: str) -> tuple[int, ...]:
    """Return the ports a stream's process may connect to; http may redirect to https."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS[parts.scheme.lower()]
    except ValueError:
        raise ParameterError(
            f"{LiveSource('stream', address).label}: its host or port makes no sense."
        ) from None
    return (port, _PORTS["https"]) if parts.scheme.lower() == "http" else (port,)


def _decode(source: LiveSource, sample_rate: float, writer: int, _report: Progress) -> int:
    """Write each frame to the pipe and return the number of frames."""
    number = 0
    with open_source(source, sample_rate) as frames:
        for frame in frames:
            if frame.time > _ENDLESS_CONFINED_SOURCE:
                raise MediaError("The times of the frames jump by years.")
            height, width = frame.image.shape[:2]
            numerator, denominator = frame.time.as_integer_ratio()
            _write(
                writer, _HEAD.pack(frame.pts, numerator, denominator, height, width, *(frame.shape or (0, 0)))
            )
            _write(writer, frame.image.data.cast("B"))
            number += 1
    return number


def _write(writer: int, data: bytes | memoryview) -> None:
    remaining = memoryview(data)
    while remaining:
        remaining = remaining[os.write(writer, remaining) :]


def read_frames(reader: int, confined: Sandbox, stopped: Callable[[], bool]) -> Iterator[Frame]:
    """Yield frames from the pipe; raises :class:`CrashError` for invalid data."""
    bounds, latest = InputLimits(), Fraction(0)
    while head := _read(reader, _HEAD.size, confined, stopped):
        pts, numerator, denominator, height, width, rows, columns = _HEAD.unpack(head)
        at = Fraction(numerator, denominator) if denominator else Fraction(-1)
        if not (latest <= at <= _ENDLESS_CONFINED_SOURCE and 0 < height * width <= bounds.pixels):
            raise CrashError()
        latest = at
        if not (data := _read(reader, height * width * 3, confined, stopped)):
            return
        image = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        yield Frame(pts, at, image, shape=(rows, columns) if columns else None)


def _read(reader: int, size: int, confined: Sandbox, stopped: Callable[[], bool]) -> bytearray:
    """Read a number of bytes; none if the source has ended or ``stopped``. Raises the process's error."""
    data = bytearray(size)
    remaining = memoryview(data)
    looked = 0.0
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while remaining:
        ready = poll.poll(_LOOK_EVERY * 1000)
        if time.monotonic() - looked >= _LOOK_EVERY:
            looked = time.monotonic()
            confined.check_limits()
            if stopped():
                return bytearray()
        if not ready:
            continue
        if not (count := os.readv(reader, [remaining])):
            confined.result()
            if len(remaining) < size:
                raise CrashError()
            return bytearray()
        remaining = remaining[count:]
    return data
