"""Find XMP packets and IPTC-IIM records in places that Pillow does not read."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable
from typing import Any, BinaryIO

import PIL.Image
from PIL import ImageFile, IptcImagePlugin

from detector.metadata.embedded_text import EmbeddedText, embedded_texts

_MOST_PACKET = 1 << 24  # bytes of an extended packet; portraits carry depth maps in it
_MOST_SEARCHED = 1 << 19  # bytes at either end of it that are searched for properties
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENDED = re.compile(rb"HasExtendedXMP\s{0,9}(?:=\s{0,9}[\"']|>\s{0,9})([0-9A-Fa-f]{32})")


def extended_xmp(segments: Iterable[tuple[str, bytes]], packet: bytes) -> bytes:
    """Return what continues ``packet`` in further APP1 segments (XMP Specification Part 3, 1.1.3.1).

    Its MD5, which the first packet names, must hold; empty otherwise. Of a long one both ends are returned.
    """
    named = _EXTENDED.search(packet)
    if named is None:
        return b""
    digest, parts, size = named[1].upper(), {}, 0
    for name, data in segments:
        head = len(_EXTENSION)
        if name != "APP1" or not data.startswith(_EXTENSION) or len(data) < head + 40:
            continue
        if data[head : head + 32].upper() == digest:
            size, offset = struct.unpack_from(">II", data, head + 32)
            parts[offset] = data[head + 40 :]
    if not 0 < size <= _MOST_PACKET:
        return b""
    whole = b"".join(parts[offset] for offset in sorted(parts))
    if len(whole) != size or hashlib.md5(whole, usedforsecurity=False).hexdigest().upper() != digest.decode():
        return b""
    return whole if size <= 2 * _MOST_SEARCHED else whole[:_MOST_SEARCHED] + whole[-_MOST_SEARCHED:]


_GIF_XMP = b"\x21\xff\x0bXMP DataXMP"
_GIF_TRAILER = b"\x01\xff\xfe\xfd"  # of the bytes that lead readers of blocks out of the packet
_MOST_GIF = 1 << 25


def gif_xmp(file: BinaryIO) -> bytes:
    """Return the XMP of a GIF (XMP Specification Part 3, 1.1.2); empty without one."""
    file.seek(0)
    _, marker, rest = file.read(_MOST_GIF).partition(_GIF_XMP)
    return rest.partition(_GIF_TRAILER)[0] if marker else b""


# IPTC-IIM 4.2, record 2. Values that name a digital source type are read wherever they are.
_RECORDS = {
    40: "Special Instructions",
    65: "Software",
    80: "By-line",
    85: "By-line Title",
    105: "Headline",
    110: "Credit",
    115: "Source",
    116: "Copyright Notice",
    120: "Caption",
}
_CODED = (1, 90)
_UTF_8 = b"\x1b%G"
_SOURCE_TYPE = re.compile(r"https?://cv\.iptc\.org/newscodes/digitalsourcetype/\w{1,60}")


def iim_texts(image: PIL.Image.Image) -> list[EmbeddedText]:
    """Return the texts of the IPTC-IIM record of an open JPEG or TIFF. Pillow may raise any exception."""
    if not isinstance(image, ImageFile.ImageFile):
        return []
    records: dict[tuple[int, int], Any] = IptcImagePlugin.getiptcinfo(image) or {}
    code = "utf-8" if records.get(_CODED) == _UTF_8 else "latin-1"
    written: dict[str, object] = {}
    for number, name in _RECORDS.items():
        value = records.get((2, number))
        values = value if isinstance(value, list) else [value]
        text = ", ".join(part.decode(code, "replace") for part in values if isinstance(part, bytes))
        if text:
            written[name] = text
            if source_type := _SOURCE_TYPE.search(text):
                written.setdefault("DigitalSourceType", source_type[0])
    return embedded_texts("IPTC", written)
