"""Spreadsheets: typed cells, a frozen header, provenance, no formulas; marks before CSV."""

from __future__ import annotations

import io
import tempfile
import tracemalloc
import zipfile
from codecs import BOM_UTF8
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from analyses import build
from sheets import cells_of

from reports.errors import ExportError
from reports.exports import spreadsheets
from reports.exports.formats import FORMATS
from reports.exports.tables import SCORE_COLUMNS, SEGMENT_COLUMNS, score_rows, segment_rows


def _rounded(values: list[Any]) -> list[Any]:
    """Values as they are written: numbers with 16 significant digits."""
    return [pytest.approx(value, rel=1e-15) if isinstance(value, float) else value for value in values]


@pytest.mark.parametrize(
    ("name", "columns", "rows"),
    [("xlsx", SEGMENT_COLUMNS, segment_rows), ("scores-xlsx", SCORE_COLUMNS, score_rows)],
)
def test_typed_rows_of_the_csv(tmp_path: Path, name: str, columns: Any, rows: Any) -> None:
    analysis = build(tmp_path, segments=2, file="Müller.mp4")
    out = io.BytesIO()
    FORMATS[name].write(analysis, tmp_path, out)
    header, *body = cells_of(out.getvalue(), 1)
    assert tuple(header) == tuple(columns)
    expected = [list(row) for row in rows(analysis)]
    assert len(body) == len(expected) > 0
    for cells, values in zip(body, expected, strict=True):
        assert cells + [None] * (len(values) - len(cells)) == _rounded(values)
    about = dict(row for row in cells_of(out.getvalue(), 2) if len(row) == 2)
    assert about["exhibit"] == "Müller.mp4" and about["exhibit_sha256"] == analysis.media.sha256
    assert about["model_sha256"] == analysis.model.sha256
    again = io.BytesIO()
    FORMATS[name].write(analysis, tmp_path, again)
    assert again.getvalue() == out.getvalue()
    with zipfile.ZipFile(out) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert 'state="frozen"' in sheet and 'ySplit="1"' in sheet


@pytest.mark.parametrize("name", ["=1+1", "+SUM(A1)", "@cmd", "-2", "http://example.org/a.mp4", "12"])
def test_no_text_is_a_formula_a_link_or_a_number(tmp_path: Path, name: str) -> None:
    out = io.BytesIO()
    FORMATS["xlsx"].write(build(tmp_path, segments=1, file=name), tmp_path, out)
    header, row, *_ = cells_of(out.getvalue(), 1)
    text = row[header.index("exhibit")]
    assert text == (f"'{name}" if name[0] in "=+@-" else name)
    with zipfile.ZipFile(out) as book:
        assert b"hyperlink" not in book.read("xl/worksheets/sheet1.xml")


def test_more_rows_than_a_sheet_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "_MOST_ROWS", 20)
    with pytest.raises(ExportError, match="more rows than a spreadsheet"):
        spreadsheets.scores_xlsx(build(tmp_path, segments=1), io.BytesIO())


@pytest.mark.parametrize("name", ["csv", "scores-csv"])
def test_csv_begins_with_a_byte_order_mark(tmp_path: Path, name: str) -> None:
    out = io.BytesIO()
    FORMATS[name].write(build(tmp_path, file="Müller.mp4"), tmp_path, out)
    assert out.getvalue().startswith(BOM_UTF8)
    assert out.getvalue().decode("utf-8-sig")[0].isalpha()


def test_long_tables_take_no_more_memory_than_short_ones() -> None:
    peaks, created = {}, datetime(2026, 1, 1, tzinfo=UTC)
    for rows in (2_000, 20_000):
        table = ((float(at), f"row {at}", None, True) for at in range(rows))
        tracemalloc.start()
        with tempfile.TemporaryFile() as out:
            spreadsheets.write_workbook(out, "T", ("a", "b", "c", "d"), table, dict, created)
        peaks[rows] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[20_000] < 1.5 * peaks[2_000]
