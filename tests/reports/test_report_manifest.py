from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from analyses import EXHIBIT_SHA256, MODEL_SHA256, Written, build

from reports.files import write_atomically
from reports.manifest import FILES, build_manifest


def test_manifest_lists_every_other_file_with_its_fingerprint(written: Written) -> None:
    manifest = json.loads((written.folder / "manifest.json").read_text("utf-8"))
    listed = {entry["path"]: entry for entry in manifest["files"]}
    there = {
        path.relative_to(written.folder).as_posix() for path in written.folder.rglob("*") if path.is_file()
    } - {"manifest.json"}
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
    assert manifest["schema_version"] == written.analysis.schema_version
    assert manifest["software_version"] == "0.1.0"
    assert manifest["model"]["sha256"] == MODEL_SHA256


def test_other_files_in_the_folder_are_left_out(tmp_path: Path) -> None:
    for name in (*FILES, "a.png", "notes.txt", ".report.pdf.1.part"):
        (tmp_path / name).write_text("x")
    manifest = build_manifest(build(tmp_path, segments=0), tmp_path, ["a.png"])
    assert [entry["path"] for entry in manifest["files"]] == ["a.png", *FILES]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    write_atomically(target, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
