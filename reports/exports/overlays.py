"""Stored pictures as a zip with an index, and heatmaps for the annotated video."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from detector import timestamps
from detector.schema.analysis import Analysis, Peak, Segment
from detector.schema.formatting import N_
from language.formatting import timecode
from reports.errors import ExportError, PictureError
from reports.exports.tables import Cell, csv_table, in_order
from reports.inputs.pictures import PNG_SIGNATURE, ShownPicture, find_picture

INDEX = "index.csv"
COLUMNS = (
    "picture",
    "shows",
    "segment",
    "person",
    "peak",
    "time_s",
    "time",
    "pts",
    "probability",
    "left_px",
    "top_px",
    "right_px",
    "bottom_px",
    "sha256",
    "absent",
)
_SHOWS = {"frame": "frame", "overlay": "frame with heatmap and box", "map": "heatmap alone"}
_Moment = tuple[int, int, int, int, int, int]
_EARLIEST: _Moment = (1980, 1, 1, 0, 0, 0)  # that a zip can hold


@dataclass(frozen=True)
class _Kept:
    """One picture that an analysis names, whether or not its file exists."""

    segment: Segment
    number: int
    peak: Peak
    kind: str
    picture: ShownPicture


def overlays_zip(analysis: Analysis, folder: Path, out: BinaryIO) -> None:
    """Write a zip of the pictures in ``folder`` and of ``index.csv`` to ``out``, which need not be seekable.

    The same analysis gives the same bytes. Raise :class:`PictureError` for a picture outside ``folder`` or
    one that cannot be read, and :class:`ExportError` if no picture was stored.
    """
    pictures = list(_pictures(analysis, folder))
    if not any(picture.picture.path for picture in pictures):
        raise ExportError(
            N_(
                "There are no pictures: nothing reached the threshold for a finding, or no pictures were "
                "kept. Analyse the exhibit again with --out to keep them."
            )
        )
    moment = _moment(analysis.software.created)
    rows: list[tuple[Cell, ...]] = []
    with zipfile.ZipFile(out, "w") as archive:
        for count, picture in enumerate(pictures, 1):
            name = digest = None
            if picture.picture.path:
                name = _name(count, picture)
                digest = _put(archive, name, folder / picture.picture.path, moment)
            rows.append(_row(picture, name, digest))
        archive.writestr(_entry(INDEX, moment, zipfile.ZIP_DEFLATED), csv_table(COLUMNS, rows))


def kept_maps(analysis: Analysis, folder: Path) -> dict[str, Path]:
    """Map names of heatmaps to their files; raise :class:`PictureError` for one outside ``folder``."""
    return {
        str(picture.peak.map): folder / picture.picture.path
        for picture in _pictures(analysis, folder)
        if picture.kind == "map" and picture.picture.path
    }


def _pictures(analysis: Analysis, folder: Path) -> Iterator[_Kept]:
    for segment in in_order(analysis):
        for number, peak in enumerate(segment.peaks, 1):
            for kind, path in (("frame", peak.frame), ("overlay", peak.overlay), ("map", peak.map)):
                yield _Kept(segment, number, peak, kind, find_picture(folder, path, kind))


def _name(count: int, picture: _Kept) -> str:
    """Build a name such as ``001-A1-peak1-00h00m03.250s-overlay.png``; Windows does not allow colons."""
    hour, minute, second = timecode(picture.peak.time).split(":")
    segment = re.sub(r"[^A-Za-z0-9]+", "_", picture.segment.id)[:20]
    return f"{count:03d}-{segment}-peak{picture.number}-{hour}h{minute}m{second}s-{picture.kind}.png"


def _put(archive: zipfile.ZipFile, name: str, path: Path, moment: _Moment) -> str:
    """Copy one PNG into the zip and return its SHA-256."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(
            N_("The picture %(name)s cannot be read: %(problem)s.")
            % {"name": path.name, "problem": error.strerror}
        ) from error
    if not data.startswith(PNG_SIGNATURE):
        raise PictureError(
            N_("The picture %(name)s is not a PNG; run the analysis again.") % {"name": path.name}
        )
    archive.writestr(_entry(name, moment, zipfile.ZIP_STORED), data)  # a PNG is compressed already
    return hashlib.sha256(data).hexdigest()


def _entry(name: str, moment: _Moment, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, moment)
    entry.create_system, entry.external_attr = 3, 0o100644 << 16
    entry.compress_type = compression
    return entry


def _row(picture: _Kept, name: str | None, digest: str | None) -> tuple[Cell, ...]:
    peak = picture.peak
    return (
        name,
        _SHOWS[picture.kind],
        picture.segment.id,
        picture.segment.person,
        picture.number,
        peak.time,
        timecode(peak.time),
        peak.pts,
        peak.probability,
        *peak.box,
        digest,
        picture.picture.absent or None,
    )


def _moment(created: str) -> _Moment:
    """Return the time of the analysis in UTC as zip archives store it."""
    try:
        moment = timestamps.parse(created)
    except (ValueError, OverflowError):
        return _EARLIEST
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return parts if 1980 <= moment.year <= 2107 else _EARLIEST
