"""Text embedded in files: XMP packets (ISO 16684-1), PNG text chunks (W3C PNG, 11.3) and comments.

XMP is searched by pattern. No XML is expanded, so none can grow.
"""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from detector.schema.metadata import Tag, clean_text

# Characters kept of one text. The beginning is enough to recognise a graph or workflow of ComfyUI.
LONGEST_TEXT = 1 << 16
MOST_TEXTS = 64


@dataclass(frozen=True)
class EmbeddedText:
    """A text that the file holds at ``place`` under ``name``. Anybody may have written it."""

    place: str
    name: str
    value: str
    is_hidden: bool = False  # in the lowest bits of pixels


def embedded_texts(place: str, written: Mapping[str, object], is_hidden: bool = False) -> list[EmbeddedText]:
    """Return the non-empty texts of one place, bounded in number and length."""
    texts: list[EmbeddedText] = []
    for name, value in written.items():
        whole = value[: 4 * LONGEST_TEXT].decode(errors="replace") if isinstance(value, bytes) else str(value)
        text = whole[:LONGEST_TEXT].strip("\0 \t\r\n")
        if text and len(texts) < MOST_TEXTS:
            texts.append(EmbeddedText(place, str(name)[:200], text, is_hidden))
    return texts


def user_comment(value: object) -> object:
    """Return an EXIF UserComment without the eight bytes of its character code (EXIF 2.3, 4.6.5)."""
    if not isinstance(value, bytes):
        return value
    code, text = value[:8], value[8:]
    if code == b"UNICODE\0":
        # Programs write UTF-16 in either byte order. The higher byte of most letters is zero.
        big = text[::2].count(0) >= text[1::2].count(0)
        return text.decode("utf-16-be" if big else "utf-16-le", "replace")
    if code in (b"ASCII\0\0\0", b"\0" * 8):
        return text.decode("utf-8", "replace")
    return value


_MOST_BYTES = 1 << 20
_MOST = 64
_MOST_MATCHES = 4096
_MOST_TAGS = 32
# Who made or changed the picture, when, and with what. The namespace prefix may be any.
_NAMES = (
    "CreatorTool", "HistorySoftwareAgent", "softwareAgent", "CreateDate", "ModifyDate", "DigitalSourceType",
    "AISystemUsed", "AISystemVersionUsed", "AIPromptInformation", "AIPromptWriterName", "AIGC", "Credit",
    "Software", "Make", "Model", "UserComment",
)  # fmt: skip
_SPELLING = {name.lower(): name for name in _NAMES}
# As an attribute, as an element (also in a list), or as the address in an element's attribute.
# Each alternative begins with a character that its quantifiers cannot run over, so that time is linear. Only
# ASCII ignores case: else ſ equals s, ı equals i and the Kelvin sign equals k.
_NAMED = "(" + "|".join(_NAMES) + ")"
_PROPERTY = re.compile(
    r"<[^\s:<>\"'=/]{1,64}+:" + _NAMED + r"(?:"
    r"\s[^<>]{0,99}?rdf:resource\s{0,9}=\s{0,9}[\"']([^\"'<]{1,999})"
    r"|(?:\s[^<>]{0,200}+)?+>(?:\s{0,99}<rdf:(?:Bag|Seq|Alt|li)\b[^<>]{0,99}+>){0,2}\s{0,99}([^<]{1,9999}+)"
    r")"
    r"|(?<=[\w-]):" + _NAMED + r"\s{0,9}=\s{0,9}(?:\"([^\"<]{1,9999}+)\"|'([^'<]{1,9999}+)')",
    re.IGNORECASE | re.ASCII,
)


def xmp_texts(xmp: bytes | str) -> list[EmbeddedText]:
    """Return the distinct texts about making in an XMP packet, in order."""
    data = xmp[:_MOST_BYTES].decode("utf-8", "replace") if isinstance(xmp, bytes) else xmp[:_MOST_BYTES]
    texts: dict[EmbeddedText, None] = {}
    for match in islice(_PROPERTY.finditer(data), _MOST_MATCHES):
        name, *values = (group for group in match.groups() if group)
        value = unescape_html(values[0])[:LONGEST_TEXT].strip("\0 \t\r\n")
        if value:
            texts.setdefault(EmbeddedText("XMP", _SPELLING[name.lower()], value))
        if len(texts) == _MOST:
            break
    return list(texts)


def unescape_html(text: str) -> str:
    """Return ``text`` with its character references replaced, or unchanged where that is not possible."""
    try:
        return html.unescape(text)
    except ValueError:  # a character reference of more digits than Python converts
        return text


def xmp_tags(texts: list[EmbeddedText]) -> list[Tag]:
    """Return texts as tags to be shown."""
    return [
        Tag(place=text.place, name=text.name, value=clean_text(text.value)) for text in texts[:_MOST_TAGS]
    ]


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 1 << 16
_LARGEST_CHUNK = 1 << 20  # bytes read of one
_MOST_BYTES_PNG_TEXT = 1 << 23  # of text, over all chunks
_LONGEST_KEYWORD = 79
PNG_TEXT_PLACE = "PNG text"


@dataclass(frozen=True)
class PngTexts:
    """Texts of a PNG in file order, and its EXIF block."""

    texts: tuple[EmbeddedText, ...] = ()
    exif: bytes | None = None


def png_texts(file: BinaryIO) -> PngTexts:
    """Read the texts and EXIF of a PNG, without damaged ones; empty for other files."""
    file.seek(0)
    if file.read(8) != _SIGNATURE:
        return PngTexts()
    texts: list[EmbeddedText] = []
    exif = None
    size = 0
    for kind, data in _chunks(file):
        text = _text(kind, data) if kind != b"eXIf" else None
        if kind == b"eXIf":
            exif = exif or data
        elif text is not None:
            texts.append(text)
            size += len(data) + len(text.value)
        if len(texts) == MOST_TEXTS or size > _MOST_BYTES_PNG_TEXT:
            break
    return PngTexts(tuple(texts), exif)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and contents of chunks with text or EXIF, before and after the pixels."""
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
    value = value[: 4 * LONGEST_TEXT]
    try:  # the standard requires Latin-1 in two of the chunk types, but programs write UTF-8 into all
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("utf-8", "replace") if kind == b"iTXt" else value.decode("latin-1")
    text = text[:LONGEST_TEXT].strip("\0 \t\r\n")
    return EmbeddedText(PNG_TEXT_PLACE, name.decode("latin-1"), text) if text else None


def _inflated(data: bytes) -> bytes | None:
    try:  # at most LONGEST_TEXT bytes, however much the data expands to
        return zlib.decompressobj().decompress(data, LONGEST_TEXT)
    except zlib.error:
        return None
