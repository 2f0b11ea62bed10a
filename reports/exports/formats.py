"""All exports as one table: what the command line offers, and pages may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from detector.schema.analysis import Analysis
from reports.exports.edl_otio import segments_edl, segments_otio
from reports.exports.overlays import overlays_zip
from reports.exports.scores import scores_csv, scores_parquet
from reports.exports.segments import segments_csv, segments_json, segments_webvtt
from reports.text.language import DEFAULT, speaking

Write = Callable[[Analysis, Path, BinaryIO], None]


@dataclass(frozen=True)
class Format:
    """One export; ``writer`` is what :meth:`write` calls."""

    name: str
    ending: str
    mimetype: str
    what: str
    writer: Write

    def write(self, analysis: Analysis, folder: Path, out: BinaryIO) -> None:
        """Write an analysis, with its pictures in ``folder``, to an open file.

        The same bytes whatever language the page speaks that asked for them. Raises
        :class:`~reports.errors.ReportError`, in English, where this analysis cannot be put so.
        """
        with speaking(DEFAULT):
            self.writer(analysis, folder, out)


def _of(make: Callable[[Analysis], bytes]) -> Write:
    def write(analysis: Analysis, folder: Path, out: BinaryIO) -> None:
        out.write(make(analysis))

    return write


_ALL = (
    Format("csv", "segments.csv", "text/csv; charset=utf-8", "segments as a table", _of(segments_csv)),
    Format("json", "segments.json", "application/json", "segments for programs", _of(segments_json)),
    Format("webvtt", "segments.vtt", "text/vtt", "segments as subtitles", _of(segments_webvtt)),
    Format(
        "edl", "segments.edl", "text/plain; charset=utf-8", "segments as clips to edit", _of(segments_edl)
    ),
    Format("otio", "segments.otio", "application/json", "segments as markers to edit", _of(segments_otio)),
    Format("scores-csv", "scores.csv", "text/csv; charset=utf-8", "every score as a table", _of(scores_csv)),
    Format(
        "scores-parquet",
        "scores.parquet",
        "application/vnd.apache.parquet",
        "every score as a typed table",
        _of(scores_parquet),
    ),
    Format("overlays", "overlays.zip", "application/zip", "frames and heatmaps with an index", overlays_zip),
)
FORMATS = {each.name: each for each in _ALL}
