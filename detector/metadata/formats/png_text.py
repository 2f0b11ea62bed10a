"""Text chunks and EXIF of a PNG, before and after its pixels (W3C PNG, third edition, 11.3).

Pillow reads those after the pixels only by decoding them, and gives a file up whose compressed text
becomes too long; here such a text is cut.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from detector.metadata.formats.texts import LONGEST_TEXT, MOST_TEXTS, EmbeddedText

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 1 << 16
_LARGEST_CHUNK = 1 << 20  # bytes read of one
_MOST_BYTES = 1 << 23  # of text, over all chunks
_LONGEST_KEYWORD = 79
PLACE = "PNG text"


@dataclass(frozen=True)
class PngTexts:
    """Texts in order of the file, and the EXIF block."""

    texts: tuple[EmbeddedText, ...] = ()
    exif: bytes | None = None


def png_texts(file: BinaryIO) -> PngTexts:
    """What an open file holds; nothing for a file that is no PNG. What is damaged is left out."""
    file.seek(0)
    if file.read(8) != _SIGNATURE:
        return PngTexts()
    found: list[EmbeddedText] = []
    exif = None
    size = 0
    for kind, data in _chunks(file):
        text = _text(kind, data) if kind != b"eXIf" else None
        if kind == b"eXIf":
            exif = exif or data
        elif text is not None:
            found.append(text)
            size += len(data) + len(text.value)
        if len(found) == MOST_TEXTS or size > _MOST_BYTES:
            break
    return PngTexts(tuple(found), exif)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kind and contents of chunks with text or EXIF."""
    at = len(_SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            yield kind, file.read(min(length, _LARGEST_CHUNK))
        at += 12 + length


def _text(kind: bytes, data: bytes) -> EmbeddedText | None:
    name, zero, rest = data.partition(b"\0")
    if not zero or not 0 < len(name) <= _LONGEST_KEYWORD:
        return None
    if kind == b"tEXt":
        value: bytes | None = rest
    elif kind == b"zTXt":
        value = _inflated(rest[1:]) if rest[:1] == b"\0" else None
    else:
        compressed, method, rest = rest[:1], rest[1:2], rest[2:]
        _language, _, rest = rest.partition(b"\0")
        _translated, _, value = rest.partition(b"\0")
        if compressed == b"\1":
            value = _inflated(value) if method == b"\0" else None
    if value is None:
        return None
    text = _decoded(value[: 4 * LONGEST_TEXT], latin=kind != b"iTXt")[:LONGEST_TEXT].strip("\0 \t\r\n")
    return EmbeddedText(PLACE, name.decode("latin-1"), text) if text else None


def _inflated(data: bytes) -> bytes | None:
    """At most as much as a text may be long, however much there is."""
    try:
        return zlib.decompressobj().decompress(data, LONGEST_TEXT)
    except zlib.error:
        return None


def _decoded(value: bytes, latin: bool) -> str:
    """The standard says Latin-1 for two of the kinds; programs write UTF-8 into all."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1") if latin else value.decode("utf-8", "replace")
