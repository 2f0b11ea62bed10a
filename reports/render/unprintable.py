"""Characters that no installed font can show: PDF/A allows no empty boxes, so words stand in their place."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from typing import Any

_PICTURES = frozenset({"So", "Sk"})  # categories of Unicode: emoji and other symbols, skin tones

Finisher = Callable[[Any, Any], None]
"""Is given WeasyPrint's document and the PDF before it is written."""


class _Unprintable(Exception):
    """No installed font has a glyph for these characters."""

    def __init__(self, codes: Collection[int]) -> None:
        self.codes = codes


def with_every_letter(markup: str, write: Callable[[str, Finisher], bytes]) -> bytes:
    """The PDF that ``write`` makes of ``markup``, with words for what would be an empty box.

    Before it is written, ``write`` calls the finisher that it is given.
    """
    try:
        return write(markup, _refuse_boxes)
    except _Unprintable as problem:
        return write(markup.translate({code: in_words(chr(code)) for code in problem.codes}), _refuse_boxes)


def in_words(character: str) -> str:
    """An emoji or symbol as ``[clapper board]``, by its name in Unicode; another letter as ``\\u6620``."""
    if unicodedata.category(character) in _PICTURES and (name := unicodedata.name(character, "")):
        return f"[{name.lower()}]"
    return character.encode("unicode_escape").decode()


def _refuse_boxes(document: Any, _: Any) -> None:
    missing = {code for font in document.fonts.values() for code in font.missing}
    if missing:
        raise _Unprintable(missing)
