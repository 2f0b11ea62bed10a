"""Text of a file as somebody wrote it: longer than a tag, which is cut for showing, and not yet cleaned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_TEXT = 1 << 16
"""Characters kept of one text: what makes a graph or workflow of ComfyUI known stands in its beginning."""
MOST_TEXTS = 64


@dataclass(frozen=True)
class EmbeddedText:
    """``value`` stands in the file at ``place`` under ``name``. Nothing vouches for any of them."""

    place: str
    name: str
    value: str


def texts_of(place: str, written: Mapping[str, object]) -> list[EmbeddedText]:
    """Texts of one place, bounded; empty ones are left out."""
    found: list[EmbeddedText] = []
    for name, value in written.items():
        whole = value[: 4 * LONGEST_TEXT].decode(errors="replace") if isinstance(value, bytes) else str(value)
        text = whole[:LONGEST_TEXT].strip("\0 \t\r\n")
        if text and len(found) < MOST_TEXTS:
            found.append(EmbeddedText(place, str(name)[:200], text))
    return found


def user_comment(value: object) -> object:
    """EXIF's UserComment without the eight bytes that name its character code (EXIF 2.3, 4.6.5).

    UTF-16 is written in either byte order, whatever the order of the EXIF block.
    """
    if not isinstance(value, bytes):
        return value
    code, text = value[:8], value[8:]
    if code == b"UNICODE\0":
        # Most letters people write have a zero as their higher byte.
        big = text[::2].count(0) >= text[1::2].count(0)
        return text.decode("utf-16-be" if big else "utf-16-le", "replace")
    if code in (b"ASCII\0\0\0", b"\0" * 8):
        return text.decode("utf-8", "replace")
    return value
