"""A source decoded in a confined process. Pictures come out of it by a pipe, and are trusted to be no more.

A file's process may open that file, a camera's that device. A stream's may open none and keeps the
network: docs/confinement.md says what that leaves.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from detector.errors import MediaError, ParameterError
from detector.live.sources import LiveSource, camera_device, open_source
from detector.media.exhibit.limits import Bounds
from detector.media.frame import Frame
from detector.progress import Progress
from detector.sandbox import AllowedPaths, CrashError, Sandbox
from detector.sandboxed_engine import limits_of_environment

# PTS, seconds as a fraction, height and width, and those before it was resized or 0; then the pixels.
_HEAD = struct.Struct("<qQQIIII")
_PIPE = 1 << 20  # bytes
_LOOK_EVERY = 0.05  # seconds
_ENDLESS = 10**9  # seconds: of processor time, and of what a source may last
_NOTHING = 1_000_000  # bytes written: it has nowhere to
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


@contextmanager
def open_confined(
    source: LiveSource, sample_rate: float, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Iterator[Frame]]:
    """The sampled frames of a source, in order, until it ends or ``stopped`` says so.

    Raises :class:`MediaError` when it cannot be opened, :class:`ParameterError` for an address that makes
    no sense, and :mod:`detector.sandbox`'s errors for a source that takes too much or breaks what reads it.
    """
    source, places = _allowed(source)
    limits = replace(limits_of_environment(), cpu=_ENDLESS, wall=_ENDLESS, written=_NOTHING)
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
                modules=("detector.live.confined_source",),
                files=(writer,),
            )
        finally:
            os.close(writer)
        stack.enter_context(confined)
        yield received(reader, confined, stopped)


def _allowed(source: LiveSource) -> tuple[LiveSource, AllowedPaths]:
    """The source as it is called from another folder, and what its process may use."""
    if source.kind == "camera":
        return source, AllowedPaths(writable=(camera_device(source),))
    if source.kind == "stream":
        return source, AllowedPaths(ports=_ports(source.name))
    path = Path(source.name).absolute()
    return replace(source, name=str(path)), AllowedPaths(readable=(path,))


def _ports(address: str) -> tuple[int, ...]:
    """Where a stream's process may connect to; http may lead on to https."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS[parts.scheme.lower()]
    except ValueError:
        raise ParameterError(
            f"{LiveSource('stream', address).label}: its host or port makes no sense."
        ) from None
    return (port, _PORTS["https"]) if parts.scheme.lower() == "http" else (port,)


def _decode(source: LiveSource, sample_rate: float, writer: int, _report: Progress) -> int:
    """Write each frame to the pipe; returns how many they were."""
    number = 0
    with open_source(source, sample_rate) as frames:
        for frame in frames:
            if frame.time > _ENDLESS:
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
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(writer, rest) :]


def received(reader: int, confined: Sandbox, stopped: Callable[[], bool]) -> Iterator[Frame]:
    """What comes out of the pipe; raises :class:`CrashError` for what is no frame that may come next."""
    bounds, latest = Bounds(), Fraction(0)
    while head := _read(reader, _HEAD.size, confined, stopped):
        pts, numerator, denominator, height, width, rows, columns = _HEAD.unpack(head)
        at = Fraction(numerator, denominator) if denominator else Fraction(-1)
        if not (latest <= at <= _ENDLESS and 0 < height * width <= bounds.pixels):
            raise CrashError()
        latest = at
        if not (data := _read(reader, height * width * 3, confined, stopped)):
            return
        image = np.frombuffer(data, np.uint8).reshape(height, width, 3)
        yield Frame(pts, at, image, shape=(rows, columns) if columns else None)


def _read(reader: int, size: int, confined: Sandbox, stopped: Callable[[], bool]) -> bytearray:
    """So many bytes; none when the source has ended or ``stopped`` says so. Raises what ended the process."""
    data = bytearray(size)
    rest = memoryview(data)
    looked = 0.0
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while rest:
        ready = poll.poll(_LOOK_EVERY * 1000)
        if time.monotonic() - looked >= _LOOK_EVERY:
            looked = time.monotonic()
            confined.check_limits()
            if stopped():
                return bytearray()
        if not ready:
            continue
        if not (got := os.readv(reader, [rest])):
            confined.result()
            if len(rest) < size:
                raise CrashError()
            return bytearray()
        rest = rest[got:]
    return data
