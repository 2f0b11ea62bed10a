"""The zip of kept pictures: every one of them, unchanged, and an index that says what each shows."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from analyses import build

from detector.schema.analysis import Analysis, MediaKind
from reports.errors import ExportError, PictureError
from reports.exports.overlays import COLUMNS, kept_maps, overlays_zip


def zipped(analysis: Analysis, folder: Path) -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """The files of the zip, and its index."""
    out = io.BytesIO()
    overlays_zip(analysis, folder, out)
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names))
        files = {name: archive.read(name) for name in names}
    index = files.pop("index.csv").decode()
    return files, list(csv.DictReader(io.StringIO(index, newline="")))


def changed(analysis: Analysis, **peak: Any) -> Analysis:
    """With the first peak frame of the first segment changed."""
    first, *rest = analysis.segments
    first_peak, *others = first.peaks
    first = first.model_copy(update={"peaks": (first_peak.model_copy(update=peak), *others)})
    return analysis.model_copy(update={"segments": (first, *rest)})


def test_pictures_are_exported_unchanged_with_an_index(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=2, segments=3)
    files, index = zipped(analysis, tmp_path)
    assert len(files) == len(index) == 3 * 3 * 3
    assert tuple(index[0]) == COLUMNS
    assert set(files) == {row["picture"] for row in index}
    peaks = {
        (segment.id, number): peak
        for segment in analysis.segments
        for number, peak in enumerate(segment.peaks, 1)
    }
    shows = {"frame": "frame", "frame with heatmap and box": "overlay", "heatmap alone": "map"}
    for row in index:
        peak = peaks[row["segment"], int(row["peak"])]
        source = getattr(peak, shows[row["shows"]])
        data = files[row["picture"]]
        assert data == (tmp_path / source).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert (float(row["time_s"]), int(row["pts"])) == (peak.time, peak.pts)
        assert row["picture"].endswith(f"-{shows[row['shows']]}.png")
        assert f"-{row['segment']}-peak{row['peak']}-" in row["picture"]
        assert row["absent"] == ""
    assert sorted(files) == [row["picture"] for row in index]  # by name is by time


def test_names_suit_every_file_system(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1, peaks=1, duration=9000.0, count=1)
    segment = analysis.segments[0].model_copy(update={"id": "../A:1\n"})
    files, _ = zipped(analysis.model_copy(update={"segments": (segment,)}), tmp_path)
    names = sorted(files)
    assert names[0] == "001-_A_1_-peak1-01h00m00.000s-frame.png"
    for name in names:
        assert not set(name) & set('\\/:*?"<>|\n') and name.isascii()


def test_the_same_pictures_make_the_same_bytes(tmp_path: Path) -> None:
    analysis = build(tmp_path)
    first, second = io.BytesIO(), io.BytesIO()
    overlays_zip(analysis, tmp_path, first)
    overlays_zip(analysis, tmp_path, second)
    assert first.getvalue() == second.getvalue()
    with zipfile.ZipFile(first) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2025, 11, 20, 8, 41, 2)}


def test_a_stream_that_cannot_seek(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += data
            return len(data)

    pipe = Pipe()
    overlays_zip(build(tmp_path), tmp_path, pipe)  # type: ignore[arg-type]
    with zipfile.ZipFile(io.BytesIO(pipe.data)) as archive:
        assert len(archive.namelist()) == 28 and archive.testzip() is None


def test_missing_files_are_reported(tmp_path: Path) -> None:
    analysis = changed(build(tmp_path, persons=1, segments=1), map=None)
    gone = "overlays/A1-1.png"
    (tmp_path / gone).unlink()
    files, index = zipped(analysis, tmp_path)
    assert len(files) == 7
    absent = {row["shows"]: row["absent"] for row in index if not row["picture"]}
    assert absent == {
        "heatmap alone": "This picture was not stored.",
        "frame with heatmap and box": f"The file {gone} is missing from the folder of the analysis.",
    }
    assert [row["sha256"] for row in index if not row["picture"]] == ["", ""]


@pytest.mark.parametrize("how", ["nothing flagged", "not kept"])
def test_without_pictures_there_is_no_zip(tmp_path: Path, how: str) -> None:
    analysis = build(tmp_path, segments=0 if how == "nothing flagged" else 2, kept=False)
    with pytest.raises(ExportError, match="no pictures"):
        overlays_zip(analysis, tmp_path, io.BytesIO())


def test_a_photo_has_pictures(tmp_path: Path) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, persons=1, segments=1)
    files, _ = zipped(analysis, tmp_path)
    assert len(files) == 3


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "a\\..\\b.png", "link.png"])
def test_nothing_outside_the_folder_is_taken(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "case"
    analysis = changed(build(folder, segments=1, peaks=1), frame=path, map=path)
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(PictureError, match="outside"):
        overlays_zip(analysis, folder, io.BytesIO())
    with pytest.raises(PictureError, match="outside"):
        kept_maps(analysis, folder)


def test_files_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, peaks=1)
    (tmp_path / str(analysis.segments[0].peaks[0].overlay)).write_bytes(b"<html>")
    with pytest.raises(PictureError, match="not a PNG"):
        overlays_zip(analysis, tmp_path, io.BytesIO())


def test_existing_heatmaps_are_listed(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=1)
    (tmp_path / "overlays/A1-2-map.png").unlink()
    assert kept_maps(analysis, tmp_path) == {
        name: tmp_path / name for name in ("overlays/A1-1-map.png", "overlays/A1-3-map.png")
    }
