"""The cells of a spreadsheet, read without a library."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any
from xml.etree import ElementTree

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cells_of(content: bytes, number: int) -> list[list[Any]]:
    """The cells of a sheet, counted from 1, by row: numbers, truth values and text."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
    assert list(sheet.iter(f"{_MAIN}f")) == []
    rows = []
    for row in sheet.iter(f"{_MAIN}row"):
        cells: dict[int, Any] = {}
        for cell in row.iter(f"{_MAIN}c"):
            letters = re.match("[A-Z]+", cell.attrib["r"])
            assert letters
            column = sum((ord(letter) - 64) * 26**place for place, letter in enumerate(reversed(letters[0])))
            kind, value = cell.attrib.get("t", "n"), cell.findtext(f"{_MAIN}v") or ""
            text = "".join(part for inline in cell.iter(f"{_MAIN}is") for part in inline.itertext())
            cells[column] = text if kind == "inlineStr" else value == "1" if kind == "b" else float(value)
        rows.append([cells.get(column) for column in range(1, max(cells, default=0) + 1)])
    return rows
