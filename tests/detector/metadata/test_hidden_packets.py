"""XMP and IPTC-IIM where neither Pillow nor FFmpeg reports them."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pillow_heif
import pytest

from detector.media.containers import read_layout
from detector.metadata.packets import gif_xmp
from detector.metadata.photo import PhotoFacts, read_photo

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
PACKET = f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{GENERATED}"/>'.encode()
FOUND = [("XMP", "DigitalSourceType", GENERATED)]


def texts_of(facts: PhotoFacts) -> list[tuple[str, str, str]]:
    return [(text.place, text.name, text.value) for text in facts.texts]


def segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg_with(*segments: bytes) -> io.BytesIO:
    file = io.BytesIO()
    PIL.Image.new("RGB", (64, 64), (90, 20, 30)).save(file, "JPEG")
    data = file.getvalue()
    return io.BytesIO(data[:2] + b"".join(segments) + data[2:])


def extended(whole: bytes, digest: str, size: int = 40) -> list[bytes]:
    """Return the segments of an extended packet, the last part first."""
    parts = [
        segment(
            0xE1,
            b"http://ns.adobe.com/xmp/extension/\0"
            + digest.encode()
            + struct.pack(">II", len(whole), at)
            + whole[at : at + size],
        )
        for at in range(0, len(whole), size)
    ]
    return parts[::-1]


def first_packet(digest: str) -> bytes:
    packet = f'<rdf:Description xmpNote:HasExtendedXMP="{digest}"/>'.encode()
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def test_extended_xmp_is_put_together() -> None:
    digest = hashlib.md5(PACKET).hexdigest().upper()
    assert texts_of(read_photo(jpeg_with(first_packet(digest), *extended(PACKET, digest)))) == FOUND


@pytest.mark.parametrize("fault", ["wrong digest", "missing part", "unnamed"])
def test_extended_xmp_that_does_not_hold_is_left_out(fault: str) -> None:
    digest = hashlib.md5(PACKET if fault != "wrong digest" else b"another").hexdigest().upper()
    parts = extended(PACKET, digest)[1 if fault == "missing part" else 0 :]
    named = [] if fault == "unnamed" else [first_packet(digest)]
    assert texts_of(read_photo(jpeg_with(*named, *parts))) == []


def test_end_of_a_long_extended_packet_is_read() -> None:
    whole = b"<GImage:Data>" + b"A" * 2_000_000 + b"</GImage:Data>" + PACKET
    digest = hashlib.md5(whole).hexdigest().upper()
    file = jpeg_with(first_packet(digest), *extended(whole, digest, size=65_000))
    assert texts_of(read_photo(file)) == FOUND


def iim(*records: tuple[int, int, bytes]) -> bytes:
    data = b"".join(b"\x1c" + bytes([r, n]) + struct.pack(">H", len(v)) + v for r, n, v in records)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
    return segment(0xED, b"Photoshop 3.0\0" + resource)


def test_iptc_iim_is_read() -> None:
    records = (
        (1, 90, b"\x1b%G"),
        (2, 80, "Zoë".encode()),
        (2, 110, b"Made with Google AI"),
        (2, 115, b"Agency"),
    )
    texts = texts_of(read_photo(jpeg_with(iim(*records))))
    assert texts == [
        ("IPTC", "By-line", "Zoë"),
        ("IPTC", "Credit", "Made with Google AI"),
        ("IPTC", "Source", "Agency"),
    ]


def test_source_type_in_iptc_iim_is_read() -> None:
    texts = texts_of(read_photo(jpeg_with(iim((2, 40, f"see {GENERATED}".encode())))))
    assert ("IPTC", "DigitalSourceType", GENERATED) in texts


@pytest.mark.parametrize("data", [b"\x1c\x02\x50\xff\xff", b"\x1c\x02", b"\x00" * 9])
def test_damaged_iptc_iim_is_left_out(data: bytes) -> None:
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data
    assert texts_of(read_photo(jpeg_with(segment(0xED, b"Photoshop 3.0\0" + resource)))) == []


def test_xmp_of_a_gif_is_read() -> None:
    file = io.BytesIO()
    PIL.Image.new("RGB", (64, 64)).save(file, "GIF")
    data = file.getvalue()
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    block = b"\x21\xff\x0bXMP DataXMP" + PACKET + trailer
    with_xmp = io.BytesIO(data[:-1] + block + data[-1:])
    assert gif_xmp(with_xmp) == PACKET
    assert texts_of(read_photo(with_xmp)) == FOUND


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_xmp_of_boxed_pictures_is_read(tmp_path: Path, kind: str) -> None:
    pillow_heif.register_heif_opener()
    path = tmp_path / f"picture.{kind.lower()}"
    PIL.Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(path, kind, xmp=PACKET)
    with path.open("rb") as file:
        assert texts_of(read_photo(file)) == FOUND


UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def meta_with_item(offset: int, length: int, method: int, stored: bytes = b"") -> bytes:
    entry = box(b"infe", b"\2\0\0\0" + struct.pack(">HH", 1, 0) + b"mime\0application/rdf+xml\0")
    place = struct.pack(">HHHHII", 1, method, 0, 1, offset, length)
    return box(
        b"meta",
        b"\0\0\0\0"
        + box(b"hdlr", b"\0" * 24)
        + box(b"iinf", b"\0\0\0\0" + struct.pack(">H", 1) + entry)
        + box(b"iloc", b"\1\0\0\0" + b"\x44\0" + struct.pack(">H", 1) + place)
        + box(b"idat", stored),
    )


FTYP = box(b"ftyp", b"isom\0\0\2\0isom")
LARGE = b" " * 200_000 + PACKET


@pytest.mark.parametrize(
    "boxes",
    [
        FTYP + box(b"uuid", UUID + PACKET) + box(b"mdat", b"x" * 50),
        FTYP + box(b"mdat", b"x" * 50) + box(b"uuid", UUID + PACKET),
        FTYP + box(b"moov", box(b"uuid", UUID + PACKET)),
        FTYP + box(b"moov", box(b"trak", box(b"udta", box(b"uuid", UUID + PACKET)))),
        FTYP + box(b"moov", box(b"udta", box(b"XMP_", PACKET))),
        FTYP + box(b"moov", box(b"udta", box(b"XMP_", LARGE))),
        FTYP + box(b"uuid", UUID + b"<other/>") + box(b"moov", box(b"udta", box(b"XMP_", PACKET))),
        FTYP + meta_with_item(0, len(PACKET), 1, PACKET),
        FTYP + box(b"mdat", PACKET) + meta_with_item(len(FTYP) + 8, len(PACKET), 0),
    ],
    ids=["first", "last", "moov", "track", "QuickTime", "large", "both", "item in meta", "item in file"],
)
def test_xmp_of_a_video_is_read_in_every_position(boxes: bytes) -> None:
    assert PACKET in read_layout(io.BytesIO(boxes)).xmp


@pytest.mark.parametrize(
    "meta", [b"", b"\0" * 11, meta_with_item(1 << 31, 99, 0)[8:], b"\0\0\0\0" + box(b"iloc", b"")]
)
def test_a_damaged_meta_box_is_left_out(meta: bytes) -> None:
    assert read_layout(io.BytesIO(FTYP + box(b"meta", meta))).xmp == b""
