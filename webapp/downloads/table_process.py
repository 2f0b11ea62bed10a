"""Write a table as a spreadsheet in a process of its own.

``python -m webapp.downloads.table_process FOLDER`` writes ``table.xlsx`` into the folder. It reads
lines of JSON from standard input: title, header and date of the table; its rows; at the end its provenance.
Rows are written as they come, so that a table of any length takes as little memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from detector import timestamps
from reports.exports.spreadsheets import write_workbook
from reports.exports.tables import Cell
from webapp.downloads.export_process import write_download

_MOMENT = "moment"


def encoded(value: object) -> bytes:
    """Return a line of JSON in which moments are objects."""
    text = json.dumps(value, default=lambda moment: {_MOMENT: timestamps.iso_milliseconds(moment)})
    return f"{text}\n".encode()


def _decoded(values: dict[str, Any]) -> Any:
    return timestamps.parse(values[_MOMENT]) if values.keys() == {_MOMENT} else values


class _Lines:
    """The rows that were sent, and the provenance that follows them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.about: dict[str, Any] = self._next()
        self.provenance: Mapping[str, Cell | datetime] = {}

    def _next(self) -> Any:
        return json.loads(self._stream.readline(), object_hook=_decoded)

    def rows(self) -> Iterator[list[Cell | datetime]]:
        while isinstance(row := self._next(), list):
            yield row
        self.provenance = row


def main(out: Path) -> int:
    """Write one spreadsheet and return the exit status."""
    lines = _Lines(sys.stdin.buffer)
    about = lines.about
    return write_download(
        out / "table.xlsx",
        lambda stream: write_workbook(
            stream,
            about["title"],
            about["header"],
            lines.rows(),
            lambda: lines.provenance,
            about["created"],
        ),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
