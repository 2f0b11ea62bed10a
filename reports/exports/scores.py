"""Every score as a table, CSV or Parquet: one row a face and judged frame."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator

from detector.schema.analysis import Analysis, Segment
from detector.schema.translatable import N_
from reports.errors import ExportError
from reports.exports.csv_writing import csv_table
from reports.text.numbers import timecode

COLUMNS = (
    "time_s",
    "time",
    "pts",
    "person",
    "track",
    "left_px",
    "top_px",
    "right_px",
    "bottom_px",
    "usable",
    "probability",
    "smoothed",
    "segment",
    "interpolated",
)
ScoreRow = tuple[
    float, str, int, str, int, float, float, float, float, bool, float | None, float | None, str | None, bool
]


def score_rows(analysis: Analysis) -> Iterator[ScoreRow]:
    """The rows, by time and then by person, in the order of :data:`COLUMNS`."""
    found: list[tuple[float, int, ScoreRow]] = []
    for rank, person in enumerate(analysis.persons):
        own = sorted(
            (segment for segment in analysis.segments if segment.person == person.id),
            key=lambda each: each.start,
        )
        starts = [segment.start for segment in own]
        for score in person.scores:
            row = (
                score.time,
                timecode(score.time),
                score.pts,
                person.id,
                score.track,
                *score.box,
                score.usable,
                score.probability,
                score.smoothed,
                _inside(score.time, own, starts),
                score.interpolated,
            )
            found.append((score.time, rank, row))
    found.sort(key=lambda each: each[:2])
    for _, _, row in found:
        yield row


def _inside(time: float, segments: list[Segment], starts: list[float]) -> str | None:
    """The segment of one person in which a time lies, both ends inside; they do not overlap."""
    index = bisect_right(starts, time) - 1
    return segments[index].id if index >= 0 and time <= segments[index].end else None


def scores_csv(analysis: Analysis) -> bytes:
    """All scores as CSV."""
    return csv_table(COLUMNS, score_rows(analysis))


def scores_parquet(analysis: Analysis) -> bytes:
    """All scores as Parquet, typed, with what they are about in the file's metadata.

    Raises :class:`ExportError` where a number is too large for its column.
    """
    # Takes a third of a second to import, and only this export needs it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, real, whole = pa.string(), pa.float64(), pa.int64()
    types = (real, text, whole, text, whole, real, real, real, real, pa.bool_(), real, real, text, pa.bool_())
    optional = {"probability", "smoothed", "segment"}
    about = {
        "reelproof.exhibit": analysis.media.file,
        "reelproof.exhibit_sha256": analysis.media.sha256,
        "reelproof.model": analysis.model.name,
        "reelproof.model_sha256": analysis.model.sha256,
        "reelproof.software_version": analysis.software.reelproof,
        "reelproof.created": analysis.software.created,
        "reelproof.time_base": analysis.media.time_base,
    }
    schema = pa.schema(
        [pa.field(name, kind, nullable=name in optional) for name, kind in zip(COLUMNS, types, strict=True)],
        metadata=about,
    )
    columns = list(zip(*score_rows(analysis), strict=True)) or [()] * len(COLUMNS)
    try:
        arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
        table = pa.Table.from_arrays(arrays, schema=schema)
    except (pa.ArrowInvalid, OverflowError):
        raise ExportError(
            N_(
                "The analysis holds numbers that no Parquet column can. Use an analysis.json that "
                "Reelproof wrote, or export CSV."
            )
        ) from None
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()
