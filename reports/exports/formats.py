"""All export formats in one table, for command line, pages and API."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from detector.schema.analysis import Analysis
from detector.schema.formatting import N_, never_rounding_up_to
from language.translation import DEFAULT, speaking
from reports.exports.editing import segments_edl, segments_otio
from reports.exports.spreadsheets import MIMETYPE, scores_xlsx, segments_xlsx
from reports.exports.tables import (
    SCORE_COLUMNS,
    SEGMENT_COLUMNS,
    Cell,
    score_rows,
    scores_parquet,
    segment_rows,
    segments_json,
    segments_webvtt,
    write_csv,
)

WriteExport = Callable[[Analysis, Path, BinaryIO], None]


@dataclass(frozen=True)
class Format:
    """One export format, written by ``writer``.

    ``link`` is the link text on pages, None where the format is not offered; ``photo_link`` replaces it on
    pages of photos. Formats that are ``timed`` refuse photos.
    """

    name: str
    ending: str
    mimetype: str
    what: str
    writer: WriteExport
    link: str | None = None
    photo_link: str | None = None
    timed: bool = False

    def write(self, analysis: Analysis, folder: Path, out: BinaryIO) -> None:
        """Write an analysis, with its pictures in ``folder``, to an open file.

        The bytes do not depend on the current language. Raise :class:`~reports.errors.ReportError`, in
        English, if this analysis cannot be exported.
        """
        with speaking(DEFAULT), never_rounding_up_to(*analysis.parameters.thresholds):
            self.writer(analysis, folder, out)


def _of(make: Callable[[Analysis], bytes]) -> WriteExport:
    def write(analysis: Analysis, folder: Path, out: BinaryIO) -> None:
        out.write(make(analysis))

    return write


def _table(write: Callable[[Analysis, BinaryIO], None]) -> WriteExport:
    return lambda analysis, _folder, out: write(analysis, out)


def _csv(header: Sequence[str], rows: Callable[[Analysis], Iterable[Sequence[Cell]]]) -> WriteExport:
    """Put a byte order mark before a CSV, without which Excel takes UTF-8 for a code page of Windows."""

    def write(analysis: Analysis, _folder: Path, out: BinaryIO) -> None:
        out.write(BOM_UTF8)
        write_csv(out, header, rows(analysis))

    return write


def _overlays(analysis: Analysis, folder: Path, out: BinaryIO) -> None:
    from reports.exports.overlays import overlays_zip  # brings OpenCV, which the web process does without

    overlays_zip(analysis, folder, out)


_ALL = (
    Format(
        "csv",
        "segments.csv",
        "text/csv; charset=utf-8",
        "segments as a table",
        _csv(SEGMENT_COLUMNS, segment_rows),
        link=N_("Segments as CSV"),
        photo_link=N_("Flagged faces, and those looked at, as CSV"),
    ),
    Format(
        "xlsx",
        "segments.xlsx",
        MIMETYPE,
        "segments as a spreadsheet",
        _table(segments_xlsx),
        link=N_("Segments as a spreadsheet (XLSX)"),
        photo_link=N_("Flagged faces, and those looked at, as a spreadsheet (XLSX)"),
    ),
    Format("json", "segments.json", "application/json", "segments for programs", _of(segments_json)),
    Format(
        "webvtt",
        "segments.vtt",
        "text/vtt",
        "segments as subtitles",
        _of(segments_webvtt),
        link=N_("Segments as subtitles (WebVTT)"),
        timed=True,
    ),
    Format(
        "edl",
        "segments.edl",
        "text/plain; charset=utf-8",
        "segments as clips to edit",
        _of(segments_edl),
        link=N_("Segments for editing (EDL)"),
        timed=True,
    ),
    Format(
        "otio",
        "segments.otio",
        "application/json",
        "segments as markers to edit",
        _of(segments_otio),
        link=N_("Segments for editing (OTIO)"),
        timed=True,
    ),
    Format(
        "scores-csv",
        "scores.csv",
        "text/csv; charset=utf-8",
        "every score as a table",
        _csv(SCORE_COLUMNS, score_rows),
        link=N_("Scores as CSV"),
    ),
    Format(
        "scores-xlsx",
        "scores.xlsx",
        MIMETYPE,
        "every score as a spreadsheet",
        _table(scores_xlsx),
        link=N_("Scores as a spreadsheet (XLSX)"),
    ),
    Format(
        "scores-parquet",
        "scores.parquet",
        "application/vnd.apache.parquet",
        "every score as a typed table",
        _table(scores_parquet),
        link=N_("Scores as Parquet"),
    ),
    Format(
        "overlays",
        "overlays.zip",
        "application/zip",
        "frames and heatmaps with an index",
        _overlays,
        link=N_("Pictures (zip)"),
    ),
)
FORMATS = {each.name: each for each in _ALL}


def suited(still: bool) -> tuple[Format, ...]:
    """Return the formats that suit a video or a photo (``still``)."""
    return tuple(export_format for export_format in _ALL if not (still and export_format.timed))
