"""Files of each kind that is accepted, and of kinds that are not: what intake and engine have to agree on."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import PIL.Image

from detector.media.acceptance import CONTAINERS

SIDE = 64


def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), np.uint8)


def video(path: Path, codec: str = "mpeg4", rate: int = 5, **options: str) -> Path:
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture(), format="rgb24")))
        out.mux(stream.encode())
    return path


def photo(path: Path) -> Path:
    assert cv2.imwrite(str(path), picture())
    return path


def boxes(data: bytes) -> dict[bytes, tuple[int, int]]:
    """Where each box of the top level begins and ends."""
    extents, at = {}, 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        extents[kind] = (at, at + size)
        at += size
    return extents


def beginning_with(first: bytes, folder: Path) -> Path:
    """A QuickTime file whose first box is another than `ftyp`; everything else stays where it was."""
    made = video(folder / "made.mp4", **({"movflags": "faststart"} if first == b"moov" else {}))
    data = bytearray(made.read_bytes())
    where = boxes(data)
    _, end = where[b"ftyp"]
    if first == b"moov":
        start, after = where[b"moov"]
        assert start == end
        data = data[start:after] + struct.pack(">I4s", end, b"free") + bytes(end - 8) + data[after:]
    elif first == b"mdat":
        data[:8] = struct.pack(">I4s", where[b"mdat"][1], b"mdat")
    else:
        data[4:8] = first
    path = folder / "begins.mov"
    path.write_bytes(data)
    return path


def animated(path: Path) -> Path:
    """Five different pictures, 0.2 s each, in any format of Pillow that knows animations."""
    pictures = [PIL.Image.fromarray(np.roll(picture(), 9 * number, 0)) for number in range(5)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=200)
    return path


def boxed_photo(path: Path, shown: np.ndarray | None = None, tile: int = 0) -> Path:
    """A HEIF or AVIF photo by its name; a HEIF one in tiles of that many pixels, as iPhones make them."""
    import pillow_heif

    given = PIL.Image.fromarray(picture() if shown is None else shown)
    if path.suffix == ".avif":
        given.save(path)
    else:
        pillow_heif.from_pillow(given).save(path, **({"tile_size": tile} if tile else {}))
    return path


def _webp_without_riff(folder: Path) -> Path:
    path = photo(folder / "a.webp")
    path.write_bytes(b"FAKE" + path.read_bytes()[4:])
    return path


def _other_riff(form: bytes, folder: Path) -> Path:
    path = folder / "a.avi"
    path.write_bytes(b"RIFF" + struct.pack("<I", 56) + form + bytes(52))
    return path


def _raw_photo(folder: Path) -> Path:
    """The beginning of a TIFF whose first picture says that it is a small copy."""
    path = folder / "a.nef"
    path.write_bytes(struct.pack("<2sHIHHHII", b"II", 42, 8, 1, 0xFE, 4, 1, 1) + bytes(64))
    return path


def boxed_picture(brand: bytes, folder: Path) -> Path:
    """The beginning of a file of the HEIF family."""
    path = folder / "a.avif"
    path.write_bytes(struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 0, brand) + bytes(64))
    return path


Maker = Callable[[Path], Path]  # from the folder to write to
MOV = next(container for container in CONTAINERS if container.boxes)
SEQUENCE_BRANDS = (b"avis", b"hevc", b"msf1")
ACCEPTED: dict[str, Maker] = {
    "mp4": lambda folder: video(folder / "a.mp4"),
    "mov": lambda folder: video(folder / "a.mov"),
    "mkv": lambda folder: video(folder / "a.mkv"),
    "webm": lambda folder: video(folder / "a.webm", "libvpx"),
    "avi": lambda folder: video(folder / "a.avi"),
    "jpg": lambda folder: photo(folder / "a.jpg"),
    "png": lambda folder: photo(folder / "a.png"),
    "webp": lambda folder: photo(folder / "a.webp"),
    "mpg": lambda folder: video(folder / "a.mpg", "mpeg2video", 25),
    "ts": lambda folder: video(folder / "a.ts", "mpeg2video", 25),
    "m2ts": lambda folder: video(folder / "a.m2ts", "mpeg2video", 25),
    "flv": lambda folder: video(folder / "a.flv", "libx264"),
    "wmv": lambda folder: video(folder / "a.wmv", "wmv2"),
    "gif": lambda folder: animated(folder / "a.gif"),
    "webp animation": lambda folder: animated(folder / "a.webp"),
    "tiff": lambda folder: photo(folder / "a.tiff"),
    "bmp": lambda folder: photo(folder / "a.bmp"),
    "avif": lambda folder: boxed_photo(folder / "a.avif"),
    "heic": lambda folder: boxed_photo(folder / "a.heic"),
    **{f"mov that begins with {first.decode()}": partial(beginning_with, first) for first in MOV.boxes},
}
REFUSED: dict[str, Maker] = {
    "webp without RIFF": _webp_without_riff,
    **{f"RIFF {form.decode()}": partial(_other_riff, form) for form in (b"ACON", b"AVIF", b"webp")},
    **{f"boxes of {brand.decode()}": partial(boxed_picture, brand) for brand in SEQUENCE_BRANDS},
    "raw photo": partial(_raw_photo),
    "animated png": lambda folder: animated(folder / "a.png"),
}
