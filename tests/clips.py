"""Clips made inside the tests: frames that say their own number, in any container, at any time.

Each frame carries its number as ten black or white bars, which survive compression, above a
picture that moves, so that neighbouring frames never look alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image

from detector.schema.analysis import Analysis

BITS = 10
_X264 = {"crf": "12", "preset": "veryfast"}
WIDTH, HEIGHT = 160, 96
# Corners of :func:`cornered`, read as words are: top left, top right, bottom left, bottom right.
UPRIGHT = "RGBW"


def numbered(number: int) -> np.ndarray:
    """A picture that says ``number`` (below 1024)."""
    rows, columns = np.ogrid[0:HEIGHT, 0:WIDTH]
    waves = [np.sin((columns + 5 * number) / 11 + k) + np.cos((rows + 3 * number) / 7 + k) for k in range(3)]
    picture = ((np.stack(waves, axis=-1) + 2) * 50 + 20).astype(np.uint8)
    for bit in range(BITS):
        left = bit * WIDTH // BITS
        picture[: HEIGHT // 2, left : left + WIDTH // BITS] = 235 if number >> bit & 1 else 20
    return picture


def number_of(picture: np.ndarray) -> int:
    """The number a picture says."""
    width = WIDTH // BITS
    bars = [picture[8 : HEIGHT // 2 - 8, b * width + 4 : (b + 1) * width - 4].mean() for b in range(BITS)]
    return sum(1 << bit for bit, bar in enumerate(bars) if bar > 128)


def cornered(width: int = 128, height: int = 96) -> np.ndarray:
    """A picture with a different colour in each corner: red, green, blue, white."""
    picture = np.full((height, width, 3), 60, np.uint8)
    h, w = height // 3, width // 3
    picture[:h, :w], picture[:h, -w:] = (255, 0, 0), (0, 255, 0)
    picture[-h:, :w], picture[-h:, -w:] = (0, 0, 255), (255, 255, 255)
    return picture


def corners(picture: np.ndarray) -> str:
    """The colours of the corners; see :data:`UPRIGHT`."""
    names = {(1, 0, 0): "R", (0, 1, 0): "G", (0, 0, 1): "B", (1, 1, 1): "W"}
    spots = [picture[y, x] for y in (8, -8) for x in (8, -8)]
    return "".join(names.get(tuple(int(v > 127) for v in spot), "?") for spot in spots)


def write_clip(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rate: Fraction | int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    sound: int = 0,
) -> Path:
    """Encode ``pictures`` at ``pts`` in ``time_base`` (default: one tick each); ``sound`` seconds of hum."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1
        stream.options = _X264 if options is None and codec == "libx264" else options or {}
        voice = container.add_stream("aac", rate=8000, layout="mono") if sound else None
        for index, picture in enumerate(pictures):
            if not index:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = (pts[index] if pts else index), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if voice is not None:
            for packet in _hum(voice, sound):
                container.mux(packet)
    return path


def write_erased(path: Path, codec: str, pix_fmt: str, count: int = 8) -> Path:
    """Numbered frames whose lower half is grey (120) and wholly transparent."""
    pictures = [np.full((HEIGHT, WIDTH, 4), 120, np.uint8) for _ in range(count)]
    for number, picture in enumerate(pictures):
        picture[: HEIGHT // 2, :, :3] = numbered(number)[: HEIGHT // 2]
        picture[:, :, 3] = np.where(np.arange(HEIGHT) < HEIGHT // 2, 255, 0)[:, None]
    if codec == "gif":  # FFmpeg writes none with transparent areas
        first, *others = map(PIL.Image.fromarray, pictures)
        first.save(path, save_all=True, append_images=others, duration=40, disposal=2)
        return path
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        stream.options = {"auto-alt-ref": "0"} if codec.startswith("libvpx") else {}
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_resized(path: Path, sizes: Sequence[tuple[int, int]], count: int = 5) -> Path:
    """A WebM in VP8 of numbered frames whose picture changes its size, ``each`` frames at a time."""
    with av.open(str(path), "w") as container:
        stream = None
        for part, (width, height) in enumerate(sizes):
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base = Fraction(1, 25)
            encoder.options = {"deadline": "realtime", "cpu-used": "8", "b": "2000000"}
            if stream is None:
                stream = container.add_stream("libvpx", rate=25)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(part * count, (part + 1) * count):
                picture = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
                frame = picture.reformat(width=width, height=height)
                frame.pts, frame.time_base = number, encoder.time_base
                for packet in encoder.encode(frame):
                    packet.stream = stream
                    container.mux(packet)
            for packet in encoder.encode():
                packet.stream = stream
                container.mux(packet)
    return path


def write_sound(path: Path, cover: np.ndarray | None = None) -> Path:
    """One second of sound and nothing else or, as music files have it, with a cover picture."""
    with av.open(str(path), "w") as container:
        voice = container.add_stream("aac", rate=8000, layout="mono")
        art = None
        if cover is not None:
            art = container.add_stream("mjpeg", rate=1)
            art.height, art.width = cover.shape[:2]
            art.pix_fmt = "yuvj420p"
            art.disposition = av.stream.Disposition.attached_pic
        if art is not None and cover is not None:
            frame = av.VideoFrame.from_ndarray(cover, format="rgb24")
            frame.pts = 0
            container.mux(art.encode(frame))
            container.mux(art.encode())
        for packet in _hum(voice, 1):
            container.mux(packet)
    return path


def _hum(voice: av.AudioStream, seconds: int) -> Iterable[av.Packet]:
    for start in range(0, 8000 * seconds, 1000):
        wave = np.sin(np.arange(start, start + 1000) / 9).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, start
        yield from voice.encode(frame)
    yield from voice.encode(None)


def packets(path: Path) -> list[tuple[int, int, bool]]:
    """Where in the file each packet of the picture lies: offset, size, whether it is a key frame."""
    with av.open(str(path)) as container:
        return [
            (p.pos, p.size, p.is_keyframe)
            for p in container.demux(container.streams.video[0])
            if p.pos is not None and p.size
        ]


def box(data: bytes, name: bytes) -> int:
    """Offset of the contents of the first mp4 box ``name``."""
    return data.index(name) + len(name)


@dataclass(frozen=True)
class Analysed:
    """One finished analysis, where its pictures lie, and the progress it reported."""

    path: Path
    folder: Path
    analysis: Analysis
    progress: tuple[tuple[str, float], ...]
