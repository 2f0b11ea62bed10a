"""Tables as spreadsheets (Office Open XML, ECMA-376): typed cells, a frozen header, a sheet of provenance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

from detector import timestamps
from detector.schema.analysis import Analysis
from detector.schema.formatting import N_
from detector.schema.laboratory import Validation
from reports.errors import ExportError
from reports.exports.tables import (
    SCORE_COLUMNS,
    SEGMENT_COLUMNS,
    Cell,
    harmless,
    score_rows,
    segment_rows,
    time_origin,
)

MIMETYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MOST_ROWS = 1_048_576  # of a sheet, the header included
_LONGEST = 32_767  # characters of a cell
_LARGEST = 2**53  # numbers are doubles
_WIDEST = 60  # characters of a column


def write_workbook(
    out: BinaryIO,
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Cell | datetime]],
    provenance: Callable[[], Mapping[str, Cell | datetime]],
    created: datetime,
) -> None:
    """Write a workbook of two sheets to ``out``: the table, and where it comes from.

    Rows go to a temporary file as they come, so that a table of any length takes as little memory;
    ``provenance`` is called after the last one. Text is made :func:`~reports.exports.tables.harmless` and is
    never a formula. The same table gives the same bytes; ``created`` is its date. Raise :class:`ExportError`
    for more rows than a sheet has.
    """
    import xlsxwriter  # only these exports need it

    book = xlsxwriter.Workbook(out, {"constant_memory": True})
    try:
        book.set_properties({"title": title, "created": created.replace(tzinfo=None)})
        _write_sheet(book, title, header, rows)
        _write_sheet(book, "Provenance", ("what", "value"), provenance().items())
    finally:
        # Of a table that was refused, the temporary files.
        book.close()


def _write_sheet(
    book: Any, title: str, header: Sequence[str], rows: Iterable[Sequence[Cell | datetime]]
) -> None:
    sheet, bold = book.add_worksheet(title), book.add_format({"bold": True})
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    widths = [len(name) for name in header]
    for column, name in enumerate(header):
        sheet.write_string(0, column, name, bold)
    number = 0
    for number, row in enumerate(rows, start=1):
        if number >= _MOST_ROWS:
            raise ExportError(
                N_("The table has more rows than a spreadsheet can hold. Export it as CSV or Parquet.")
            )
        for column, value in enumerate(row):
            widths[column] = max(widths[column], len(_write_cell(sheet, number, column, value, moment)))
    for column, width in enumerate(widths):
        sheet.set_column(column, column, min(width + 2, _WIDEST))
    sheet.freeze_panes(1, 0)
    if header:
        sheet.autofilter(0, 0, max(number, 1), len(header) - 1)


def _write_cell(sheet: Any, row: int, column: int, value: Cell | datetime, moment: object) -> str:
    """Write a cell of the value's type and return its text; times are in UTC, which a spreadsheet lacks."""
    if value is None:
        return ""
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, column, value.astimezone(UTC).replace(tzinfo=None), moment)
    elif isinstance(value, int | float) and abs(value) < _LARGEST:
        sheet.write_number(row, column, value)
    else:
        sheet.write_string(row, column, harmless(str(value))[:_LONGEST])
    return str(value)


def segments_xlsx(analysis: Analysis, out: BinaryIO) -> None:
    """Write the rows of :func:`~reports.exports.tables.segments_csv` as a spreadsheet."""
    _of_analysis(analysis, out, "Segments", SEGMENT_COLUMNS, segment_rows(analysis))


def scores_xlsx(analysis: Analysis, out: BinaryIO) -> None:
    """Write the rows of :func:`~reports.exports.tables.scores_csv` as a spreadsheet."""
    _of_analysis(analysis, out, "Scores", SCORE_COLUMNS, score_rows(analysis))


def _of_analysis(
    analysis: Analysis, out: BinaryIO, title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> None:
    media, model, software, voice = analysis.media, analysis.model, analysis.software, analysis.voice
    provenance: dict[str, Cell] = {
        "exhibit": media.file,
        "exhibit_sha256": media.sha256,
        "exhibit_bytes": media.bytes,
        "time_base": media.time_base,
        "start_offset_s": media.start_offset,
    }
    if not media.sound_only:
        provenance |= {"model": model.name, "model_sha256": model.sha256}
    if voice is not None:
        provenance |= {"voice_model": voice.model.name, "voice_model_sha256": voice.model.sha256}
    provenance |= {"software": f"Reelproof {software.reelproof}", "created": software.created}
    if not media.sound_only:
        provenance |= {"verdict": analysis.verdict.value, "probability": analysis.probability}
    if voice is not None:
        provenance |= {"voice_verdict": voice.verdict.value, "voice_probability": voice.probability}
    origin = time_origin(media)
    provenance["columns"] = f"docs/exports.md of Reelproof defines them; times are seconds {origin}"
    write_workbook(out, title, header, rows, lambda: provenance, timestamps.parse(software.created))


VALIDATION_COLUMNS = (
    "file",
    "sha256",
    "bytes",
    "manipulated",
    "group",
    "generator",
    "kind",
    "verdict",
    "probability",
    "stability",
    "duration_s",
    "codec",
    "faces",
    "segments",
    "error",
)


def validation_table(
    validation: Validation,
) -> tuple[tuple[str, ...], Iterator[Sequence[Cell]], dict[str, Cell | datetime]]:
    """Return header, rows and provenance of the files of a validation: labels, and what the analysis said."""
    attributes = sorted({name for item in validation.items for name in item.attributes})
    rows = (
        (
            item.file,
            item.sha256,
            item.bytes,
            item.manipulated,
            item.group,
            item.generator,
            item.kind and item.kind.value,
            item.verdict and item.verdict.value,
            item.probability,
            item.stability,
            item.duration,
            item.codec,
            item.faces,
            len(item.segments),
            item.error,
            *(item.attributes.get(name) for name in attributes),
        )
        for item in validation.items
    )
    provenance: dict[str, Cell | datetime] = {
        "title": validation.title,
        "laboratory": validation.laboratory,
        "created": validation.created,
        "model": validation.model.name,
        "model_sha256": validation.model.sha256,
        "columns": "docs/validation.md of Reelproof describes them",
    }
    return (*VALIDATION_COLUMNS, *attributes), rows, provenance
