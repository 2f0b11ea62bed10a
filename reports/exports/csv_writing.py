"""Tables as CSV that neither a program nor a spreadsheet misreads.

RFC 4180: commas, CRLF, quotes where needed, one header row. UTF-8 without a byte order mark.
Numbers have a point and as many digits as bring back the very same float.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from reports.text.numbers import file_name

Cell = str | int | float | bool | None

# What spreadsheets take for the start of a formula, full-width forms included. Also behind what
# may separate cells: where the comma is the decimal sign, a spreadsheet splits at semicolons.
_FORMULA = re.compile(r"((?:^|[,;|\"'])\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])")


def csv_table(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A table as the bytes of a CSV file. Text is made :func:`harmless`, None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def harmless(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs: an apostrophe before what would start a formula.

    Control characters and bidirectional overrides become escapes.
    """
    return _FORMULA.sub(r"\1'\2", file_name(text))


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return harmless(value) if isinstance(value, str) else str(value)
