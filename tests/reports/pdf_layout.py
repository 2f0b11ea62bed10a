"""How a PDF is set: sizes of its letters as printed, and what stands last on its pages."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from typing import NamedTuple

import pypdfium2
from pypdfium2 import raw

LEAST_TYPE = 8 - 0.05
"""The least size of letters in points, but for rounding."""


class Letters(NamedTuple):
    """Letters of one size on one page, in points."""

    page: int
    size: float
    text: str


def sizes(document: bytes) -> Iterator[Letters]:
    """Yield the text of each page by its size as printed, after the scales of drawings and of the page."""
    with pypdfium2.PdfDocument(document) as pdf:
        pdf.init_forms()
        for number, page in enumerate(pdf, 1):
            words = page.get_textpage()
            by_size: dict[float, list[str]] = {}
            matrix = raw.FS_MATRIX()
            for index in range(words.count_chars()):
                letter = chr(raw.FPDFText_GetUnicode(words, index))
                # Spaces that PDFium adds between pieces of text have no matrix.
                if letter.isspace() or not raw.FPDFText_GetMatrix(words, index, ctypes.byref(matrix)):
                    continue
                size = raw.FPDFText_GetFontSize(words, index) * math.hypot(matrix.c, matrix.d)
                by_size.setdefault(round(size, 2), []).append(letter)
            for size, letters in sorted(by_size.items()):
                yield Letters(number, size, "".join(letters))


def smaller_than(document: bytes, least: float) -> list[str]:
    """Return what is set smaller than ``least`` points, with its page and size."""
    return [
        f"page {number}, {size} pt: {text[:80]}" for number, size, text in sizes(document) if size < least
    ]


def stranded(document: bytes) -> list[str]:
    """Return the last lines of pages that are bold as a whole, or begin as a heading does."""
    lines = []
    with pypdfium2.PdfDocument(document) as pdf:
        for number, page in enumerate(pdf, 1):
            words = page.get_textpage()
            letters = [
                (words.get_charbox(index)[1], _font(words, index), chr(raw.FPDFText_GetUnicode(words, index)))
                for index in range(words.count_chars())
            ]
            body = [each for each in letters if each[0] > _FOOT and not each[2].isspace()]
            lowest = min((bottom for bottom, _, _ in body), default=0.0)
            last = [(font, letter) for bottom, font, letter in body if bottom < lowest + _LINE]
            if all("Bold" in font for font, _ in last) or "Serif-Bold" in last[0][0]:
                lines.append(f"page {number}: {''.join(letter for _, letter in last)}")
    return lines


_FOOT = 19 * 72 / 25.4  # points: below it is the running foot
_LINE = 5.0


def _font(words: pypdfium2.PdfTextPage, index: int) -> str:
    name, flags = ctypes.create_string_buffer(64), ctypes.c_int()
    raw.FPDFText_GetFontInfo(words, index, name, 64, ctypes.byref(flags))
    return name.value.decode("utf-8", "replace")
