"""Bundles as zips: written the same each time, and refused with a reason when they are not as made."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reports.bundle.archive import BundleError, hashed_entry, is_zip, open_zip
from reports.bundle.manifest import Manifest
from reports.bundle.review_bundle import annotations_in, write_bundle
from reports.review.annotation_file import AnnotationFileError, file_text

ANALYSIS = b'{"analysis": 1}' * 50


ABOUT = Manifest.model_validate(
    {
        "manifest_version": "2.0",
        "contents": "bundle",
        "made": "2026-11-20T15:00:00Z",
        "software": {"reelproof": "0.1.0"},
        "exhibit": {"file": "a.mp4", "bytes": 5, "sha256": "c" * 64},
        "model": {"name": "m", "sha256": "d" * 64},
        "files": [],
    }
)


def annotations(analysis: bytes = ANALYSIS) -> bytes:
    return file_text(
        [],
        analysis="a" * 32,
        analysis_sha256=hashlib.sha256(analysis).hexdigest(),
        exhibit_sha256="c" * 64,
        saved=datetime(2026, 11, 20, tzinfo=UTC),
    ).encode()


def files(tmp_path: Path) -> dict[str, bytes | Path]:
    picture = tmp_path / "picture"
    picture.write_bytes(bytes(range(256)) * 9000)
    return {
        "index.html": b"<!doctype html>" * 30,
        "overlays/A1-1.png": picture,
        "annotations.json": annotations(),
        "analysis.json": ANALYSIS,
    }


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    write_bundle(path, files(tmp_path), ABOUT)
    return path


def test_written_annotation_files(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
        assert names == [
            "analysis.json",
            "annotations.json",
            "index.html",
            "overlays/A1-1.png",
            "verify.py",
            "sha256sums.txt",
            "manifest.json",
            "manifest.sha256",
        ]
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["manifest_version"] == "2.0" and manifest["made"] == "2026-11-20T15:00:00Z"
        assert [entry["path"] for entry in manifest["files"]] == names[:-2]
        archive.extractall(tmp_path / "unpacked")
        for entry in manifest["files"]:
            data = archive.read(entry["path"])
            assert (entry["bytes"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "sha256sums.txt"],
        cwd=tmp_path / "unpacked",
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0 and checked.stdout.count(": OK") == 5
    own = subprocess.run(["sha256sum", "--check", "manifest.sha256"], cwd=tmp_path / "unpacked")
    assert own.returncode == 0


def test_the_same_files_make_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    write_bundle(again, dict(reversed(files(tmp_path).items())), ABOUT)
    assert again.read_bytes() == bundle.read_bytes()


def test_annotations_are_read_from_an_unchanged_bundle(bundle: Path) -> None:
    assert is_zip(bundle) and annotations_in(bundle)[0] == annotations()


def remade(bundle: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The bundle with its files changed and packed again, the manifest as it was unless changed too."""
    with zipfile.ZipFile(bundle) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return bundle


def refusal(bundle: Path) -> str:
    with pytest.raises((BundleError, AnnotationFileError)) as problem:
        annotations_in(bundle)
    return str(problem.value)


def test_annotations_are_read_from_a_bundle_of_an_older_version(bundle: Path) -> None:
    def older(content: dict[str, bytes]) -> None:
        manifest = json.loads(content["manifest.json"])
        del content["manifest.sha256"]
        content["manifest.json"] = json.dumps(
            {
                "bundle_version": "1.0",
                "software_version": "0.1.0",
                "made": manifest["made"],
                "analysis": "a" * 32,
                **{name: manifest[name] for name in ("exhibit", "model", "files")},
            }
        ).encode()

    assert annotations_in(remade(bundle, older))[0] == annotations()


def test_a_repacked_bundle_is_accepted(bundle: Path) -> None:
    def with_folder(content: dict[str, bytes]) -> None:
        content["overlays/"] = b""

    assert annotations_in(remade(bundle, with_folder))[0] == annotations()


def test_every_changed_file_is_named(bundle: Path) -> None:
    def change(content: dict[str, bytes]) -> None:
        content["index.html"] = content["index.html"].replace(b"html", b"lmth", 1)
        content["analysis.json"] += b" "
        del content["overlays/A1-1.png"]
        content["extra.txt"] = b"x"

    assert refusal(remade(bundle, change)) == (
        "The bundle is not as it was made: overlays/A1-1.png is missing, extra.txt is not in the manifest, "
        "analysis.json was changed, index.html was changed."
    )


def test_many_outside_persons_are_counted(bundle: Path) -> None:
    assert "and 28 more" in refusal(
        remade(bundle, lambda content: content.update({f"{n:02}.txt": b"" for n in range(40)}))
    )


def test_a_zip_without_manifest_or_annotations_is_no_bundle(bundle: Path, tmp_path: Path) -> None:
    assert "does not contain the manifest.json" in refusal(
        remade(bundle, lambda content: content.pop("manifest.json") and None)
    )
    given = files(tmp_path)
    del given["annotations.json"]
    write_bundle(bundle, given, ABOUT)
    assert "no annotations.json" in refusal(bundle)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"bundle_version": "1.0", "files": [{}]}', b"[" * 99_999]
)
def test_invalid_manifests_are_refused(bundle: Path, text: bytes) -> None:
    reason = refusal(remade(bundle, lambda content: content.update({"manifest.json": text})))
    assert "no manifest.json of Reelproof" in reason or "malformed" in reason


def test_a_bundle_of_a_newer_version_is_refused(bundle: Path) -> None:
    newer = json.dumps({"manifest_version": "3.0", "files": []}).encode()
    assert "Update Reelproof" in refusal(
        remade(bundle, lambda content: content.update({"manifest.json": newer}))
    )


def test_annotations_of_another_analysis_inside_a_consistent_bundle(bundle: Path, tmp_path: Path) -> None:
    write_bundle(bundle, files(tmp_path) | {"annotations.json": annotations(b"other")}, ABOUT)
    assert "put together by hand" in refusal(bundle)


def test_annotations_changed_inside_a_consistent_bundle(bundle: Path, tmp_path: Path) -> None:
    text = json.loads(annotations()) | {"sha256": "0" * 64}
    write_bundle(bundle, files(tmp_path) | {"annotations.json": json.dumps(text).encode()}, ABOUT)
    assert "changed after it was saved" in refusal(bundle)


@pytest.mark.parametrize(
    "name", ["../out.txt", "/etc/passwd", "a/../../b", "..\\out.txt", "C:out.txt", "over\\lays"]
)
def test_names_leading_out_of_the_folder_are_refused(bundle: Path, name: str) -> None:
    assert "outside itself" in refusal(remade(bundle, lambda content: content.update({name: b"x"})))


def test_two_files_of_one_name_are_refused(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("index.html", b"other")
    assert "index.html twice" in refusal(bundle)


def test_zip_bombs_are_refused_unread(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = remade(bundle, lambda content: content.update({"bomb.txt": bytes(30_000_000)}))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was read"))
    with zipfile.ZipFile(bomb, "a") as archive:
        sizes = [entry.file_size for entry in archive.infolist()]
    assert sum(sizes) > 250 * bomb.stat().st_size
    assert "far more than fits" in refusal(bomb)


def test_oversized_bundles_are_refused_unread(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the ratio, and still work for many seconds."""
    text = b"".join(b"%07d" % number for number in range(300_000))
    swollen = remade(bundle, lambda content: content.update({"long.txt": text}))
    assert len(text) < 250 * swollen.stat().st_size
    monkeypatch.setattr("reports.bundle.archive._EXPANSION", 1_000_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was read"))
    assert "far more than fits" in refusal(swollen)


def test_wrong_sizes_are_detected(bundle: Path) -> None:
    """The central directory says less than there is: no more than it says is read."""
    data = bytearray(remade(bundle, lambda content: None).read_bytes())
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"index.html"))
    data[at + 24 : at + 28] = struct.pack("<L", 5)
    bundle.write_bytes(data)
    assert "index.html was changed" in refusal(bundle)


def test_too_many_files_and_passwords_are_refused(bundle: Path) -> None:
    data = bytearray(bundle.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    locked = bundle.with_name("locked.zip")
    locked.write_bytes(data)
    assert "password" in refusal(locked)
    assert "more than 20,000 files" in refusal(
        remade(bundle, lambda content: content.update({f"{n}.txt": b"" for n in range(20_001)}))
    )


def test_a_damaged_file_recompressed_with_lzma_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("data.json", bytes(range(256)) * 40)
        start = archive.getinfo("data.json").compress_size
    data = bytearray(path.read_bytes())
    data[60 : 60 + start // 2] = bytes(start // 2)
    path.write_bytes(data)
    with pytest.raises(BundleError, match="damaged"), open_zip(path) as archive:
        hashed_entry(archive, "data.json")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_a_truncated_zip_is_reported_as_damaged(bundle: Path, share: float) -> None:
    data = bundle.read_bytes()
    bundle.write_bytes(data[: int(len(data) * share)])
    assert "damaged" in refusal(bundle)


def test_files_that_are_no_zip_are_refused() -> None:
    assert not is_zip(Path(__file__))
