"""The manifest lists every file of a result with its SHA-256, and reads those of earlier versions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from analyses import EXHIBIT_SHA256, MODEL_SHA256, Written, build

from detector.files import write_atomically
from reports.bundle.manifest import (
    ManifestError,
    file_entries,
    manifest_files,
    new_manifest,
    read_manifest,
)
from reports.file_names import ANALYSIS, REPORT_HTML, REPORT_PDF


def test_manifest_lists_every_other_file_with_its_fingerprint(written: Written) -> None:
    manifest = json.loads((written.folder / "manifest.json").read_text("utf-8"))
    listed = {entry["path"]: entry for entry in manifest["files"]}
    there = {
        path.relative_to(written.folder).as_posix() for path in written.folder.rglob("*") if path.is_file()
    } - {"manifest.json", "manifest.sha256"}
    assert set(listed) == there and {"report.pdf", "overlays/A1-1.png"} <= there
    assert list(listed) == sorted(listed)
    for path, entry in listed.items():
        data = (written.folder / path).read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_manifest_names_exhibit_versions_and_model(written: Written) -> None:
    manifest = json.loads((written.folder / "manifest.json").read_text("utf-8"))
    assert manifest["exhibit"] == {
        "file": "interview_cut3.mp4",
        "bytes": 12_412_345,
        "sha256": EXHIBIT_SHA256,
    }
    assert manifest["software"]["schema"] == written.analysis.schema_version
    assert manifest["software"]["reelproof"] == "0.1.0"
    assert manifest["model"]["sha256"] == MODEL_SHA256


def test_other_files_in_the_folder_are_left_out(tmp_path: Path) -> None:
    files = (ANALYSIS, REPORT_HTML, REPORT_PDF)
    for name in (*files, "a.png", "notes.txt", ".report.pdf.1.part"):
        (tmp_path / name).write_text("x")
    assert [entry.path for entry in file_entries(tmp_path, {*files, "a.png"})] == ["a.png", *files]


def test_the_manifest_has_a_sum_of_its_own(written: Written) -> None:
    text = (written.folder / "manifest.json").read_bytes()
    expected = f"{hashlib.sha256(text).hexdigest()}  manifest.json\n"
    assert (written.folder / "manifest.sha256").read_text() == expected


def test_the_report_contains_case_and_custody(tmp_path: Path) -> None:
    manifest = new_manifest(
        build(tmp_path, segments=0), "bundle", made="2026-11-20T15:00:00.000Z", analysis_id="x"
    )
    log = {"count": 7, "head": "1" * 64, "head_mac": "2" * 64, "entries": []}
    made = manifest_files(manifest, case=b'{"case_number": "12"}', custody=json.dumps(log).encode())
    read = read_manifest(made["manifest.json"])
    assert read.case == {"case_number": "12"} and read.custody and read.custody.count == 7
    assert (read.contents, read.made, read.analysis) == ("bundle", "2026-11-20T15:00:00.000Z", "x")


def older(**changes: object) -> bytes:
    """As results were written before 2.0."""
    values = {
        "manifest_version": "1.0",
        "schema_version": "1.1",
        "software_version": "0.1.0",
        "created": "2025-11-20T08:41:02Z",
        "exhibit": {"file": "a.mp4", "bytes": 1, "sha256": EXHIBIT_SHA256},
        "model": {"name": "m", "sha256": MODEL_SHA256},
        "files": [{"path": "analysis.json", "bytes": 1, "sha256": "0" * 64}],
    }
    return json.dumps(values | changes).encode()


def test_older_manifests_are_read() -> None:
    manifest = read_manifest(older())
    assert manifest.made == "2025-11-20T08:41:02Z" and manifest.software == {"reelproof": "0.1.0"}
    assert manifest.files[0].path == "analysis.json" and manifest.contents == "result"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no manifest.json"),
        (b"[1]", "no manifest.json"),
        (b"7", "no manifest.json"),
        (b"{}", "no manifest.json"),
        (b"[" * 99_999, "no manifest.json"),
        (b'{"manifest_version": "2.0", "manifest_version": "2.0"}', "no manifest.json"),
        (b'{"manifest_version": "2.0", "files": [' + b"{}," * 100_000 + b"{}]}", "too large for what it is"),
        (b'{"manifest_version": "3.1"}', "newer version of Reelproof"),
        (b'{"manifest_version": "2.0"}', "malformed at contents"),
        (older(files=[{"path": "../a", "bytes": 1, "sha256": "0" * 64}]), "malformed at files.0.path"),
        (older(files=[{"path": "manifest.sig", "bytes": 1, "sha256": "0" * 64}]), "names no file"),
        (older(files=[{"path": "a", "bytes": 1, "sha256": "0" * 64}] * 2), "lists a file twice"),
    ],
)
def test_files_that_are_no_manifest_are_refused(text: bytes, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        read_manifest(text)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    write_atomically(target, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
