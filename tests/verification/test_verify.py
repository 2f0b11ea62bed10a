"""Verification: what fits is said to fit, and every byte that was flipped is caught and named."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from damaged_files import flipped, named, problems
from evidence import small_pdf, small_result
from weasyprint import HTML

from reports.bundle.archive import UNREADABLE, differences
from reports.signing.keys import SigningKey
from verification.checks import CheckResults
from verification.signatures import check_detached
from verification.trusted_time import Trust
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")


def test_unchanged_files_fit(bundle: Path, folder: Path, tmp_path: Path) -> None:
    result = small_result(tmp_path / "result")
    for path, files in ((bundle, 14), (folder, 14), (result, 12)):
        done = verify(path)
        assert (done.results.problems, done.results.files) == ([], files)
        assert done.analysis and "3f3f" in done.results.facts["exhibit"]


def places(data: bytes) -> Iterator[int]:
    """Every byte of headers, the list of files and the end; of contents the first, the last and some."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        last = 0
        for entry in archive.infolist():
            start = entry.header_offset + 30 + len(entry.filename)
            yield from range(entry.header_offset, start)
            yield from {start, start + entry.file_size // 3, start + entry.file_size - 1}
            last = start + entry.file_size
    yield from range(last, len(data))


def test_one_flipped_byte_anywhere_in_a_bundle(light: Path, tmp_path: Path) -> None:
    data, path = light.read_bytes(), tmp_path / "bundle.zip"
    with zipfile.ZipFile(light) as archive:
        starts = [(entry.header_offset, entry.filename) for entry in archive.infolist()]
        directory = archive.start_dir
    for at in list(places(data))[::13]:
        path.write_bytes(flipped(data, at))
        faults = problems(path)
        assert faults, at
        assert all(problem.why and "Traceback" not in problem.why for problem in faults)
        owner = [name for start, name in starts if start <= at][-1]
        assert at >= directory or owner in {problem.file for problem in faults}, (at, faults)


def test_every_byte_of_the_container_is_determined(light: Path, tmp_path: Path) -> None:
    """Without the contents' own hashes: headers alone, each byte of them."""
    data, path = light.read_bytes(), tmp_path / "bundle.zip"
    with zipfile.ZipFile(light) as archive:
        names = archive.namelist()
    assert differences(light, names) == []
    for at in list(places(data))[::2]:
        path.write_bytes(flipped(data, at))
        try:
            difference = bool(differences(path, names))
        except (*UNREADABLE, RuntimeError, KeyError):  # of which the caller says the same
            difference = True
        assert difference, at
    path.write_bytes(data + b"\0")
    assert differences(path, names)


def test_one_flipped_byte_in_every_file_of_a_folder(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data, name = path.read_bytes(), path.relative_to(folder).as_posix()
        for at in {0, len(data) // 2, len(data) - 1}:
            path.write_bytes(flipped(data, at))
            assert name in named(folder), (name, at)
        path.write_bytes(data)
    assert problems(folder) == []


@pytest.mark.parametrize("changed", [False, True])
def test_a_report_without_digest_is_checked_by_its_manifest(tmp_path: Path, changed: bool) -> None:
    folder = small_result(tmp_path / "result")
    report = HTML(string="<html lang=en><title>t</title><p>Report").write_pdf()
    (folder / "report.pdf").write_bytes(report + b" " * changed)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    listed = [entry for entry in manifest["files"] if entry["path"] != "report.pdf"]
    sha256 = hashlib.sha256(report).hexdigest()
    listed.append({"path": "report.pdf", "bytes": len(report), "sha256": sha256})
    old = {"manifest_version": "1.0", "software_version": "0.1.0", "created": "2026-11-20T10:00:00+00:00"}
    kept = {name: manifest[name] for name in ("exhibit", "model")}
    (folder / "manifest.json").write_text(json.dumps(old | kept | {"files": listed}))
    (folder / "manifest.sha256").unlink()
    results = verify(folder).results
    assert ("report.pdf" in {problem.file for problem in results.problems}) == changed
    assert any("before reports had a digest" in note for note in results.notes)


def test_missing_added_and_swapped_files(folder: Path) -> None:
    (folder / "overlays/A1-1.png").unlink()
    (folder / "overlays/A1-1-map.png").write_bytes((folder / "overlays/A1-1-frame.png").read_bytes())
    (folder / "notes.txt").write_text("x")
    (folder / "case.json").unlink()
    (folder / "case.json").symlink_to("/etc/hostname")
    faults = {(problem.file, problem.kind) for problem in problems(folder)}
    assert faults >= {
        ("overlays/A1-1.png", "missing"),
        ("overlays/A1-1-map.png", "changed"),
        ("notes.txt", "not listed"),
        ("case.json", "cannot be read"),
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [("manifest.json", "missing"), ("manifest.sha256", "missing"), ("custody.json", "missing")],
)
def test_removed_files_are_named(folder: Path, name: str, kind: str) -> None:
    (folder / name).unlink()
    assert (name, kind) in {(problem.file, problem.kind) for problem in problems(folder)}


def test_a_damaged_manifest_is_named_before_its_files(folder: Path) -> None:
    manifest = folder / "manifest.json"
    text = manifest.read_bytes()
    at = text.index(b'"sha256": "', text.index(b"report.html")) + 11
    manifest.write_bytes(text[:at] + (b"1" if text[at : at + 1] != b"1" else b"2") + text[at + 1 :])
    first, second, third = problems(folder)[:3]
    assert (first.file, first.kind, second.file) == ("manifest.json", "changed", "manifest.sha256")
    assert third.file == "report.html" and "itself changed" in third.why
    manifest.write_bytes(b"{")
    assert {p.kind for p in problems(folder) if p.file == "manifest.json"} == {"changed", "cannot be read"}


def test_a_repacked_zip_is_reported(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.zip"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    (problem,) = problems(path)
    assert problem.file == "again.zip" and "packed again" in problem.why


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9, 0.999])
def test_a_truncated_bundle_is_refused(bundle: Path, tmp_path: Path, share: float) -> None:
    data, path = bundle.read_bytes(), tmp_path / "half.zip"
    path.write_bytes(data[: int(len(data) * share)])
    assert [problem.file for problem in problems(path)] == ["half.zip"]


def test_one_flipped_byte_in_a_report(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    data = small_pdf({"scores.csv": b"time,score\n"})
    path.write_bytes(data)
    assert problems(path) == []
    for at in {*range(0, len(data), 211), *range(len(data) - 150, len(data), 5), data.index(b"/ID [(") + 7}:
        path.write_bytes(flipped(data, at))
        assert "report.pdf" in named(path), at
    path.write_bytes(data + b"x")
    assert "report.pdf" in named(path)


def test_one_flipped_byte_of_what_is_signed(tmp_path: Path, key: SigningKey) -> None:
    folder = small_result(tmp_path / "result", key)
    done = verify(folder, [key.certificate])
    assert done.results.problems == [] and "Ada Examiner" in done.results.facts["signature of manifest.sig"]
    data, signature = ((folder / name).read_bytes() for name in ("manifest.json", "manifest.sig"))
    damaged = [(flipped(data, 50), signature), *((data, flipped(signature, at)) for at in range(0, 740, 59))]
    for text, signature_data in damaged:
        results = CheckResults()
        check_detached("manifest.sig", text, signature_data, Trust(), results)
        assert results.problems and not results.signed
    (folder / "manifest.sig").unlink()
    assert "manifest.sig" in named(folder)
