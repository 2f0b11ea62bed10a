"""What people wrote, safe to be shown: nothing that steers a terminal or makes other text read backwards."""

from __future__ import annotations

import unicodedata

_RIGHT_TO_LEFT = {"R", "AL"}
# Writing from right to left needs neither; they make "exe.4pm" of "mp4.exe".
_OVERRIDES = {"\u202d": "\\u202d", "\u202e": "\\u202e"}


def one_line(text: str) -> str:
    """A name as one line."""
    return " ".join(readable(text).split())


def readable(text: str) -> str:
    """A text without characters that steer terminals, or that make others read backwards; lines stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_OVERRIDES.get(char) or ("\ufffd" if _steers(char) else char) for char in lines)


def _steers(char: str) -> bool:
    return unicodedata.category(char) == "Cc" and char not in "\n\t"


def direction(text: str) -> str:
    """``rtl`` or ``ltr``, by the first letter that has a direction (Unicode Annex 9, P2 and P3)."""
    for char in text:
        kind = unicodedata.bidirectional(char)
        if kind == "L" or kind in _RIGHT_TO_LEFT:
            return "rtl" if kind in _RIGHT_TO_LEFT else "ltr"
    return "ltr"
