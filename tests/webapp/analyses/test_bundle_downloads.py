"""Bundles over HTTP: complete, verifiable, and importable again."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
import shutil
import zipfile
from collections import namedtuple
from datetime import UTC, datetime

import pytest
from made_results import finished, hand_in
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from detector.schema.analysis import MediaKind
from verification.verify import verify
from webapp.custody import integrity
from webapp.downloads import bundles as bundle_downloads
from webapp.downloads import reports as report_downloads
from webapp.exhibits import disclosure
from webapp.exhibits.media import playback
from webapp.exhibits.media.playback import Playback
from webapp.storage.data_folder import Folders

AGREE = {"kind": "segment", "segment": "A1", "verdict": "agree", "author": "Ann", "note": "seams at the jaw"}
pytestmark = pytest.mark.usefixtures("quick_reports")

VIDEO = Playback("exhibit", "video/mp4", 0.25, 160, 96, "")
Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def row(app, folders):
    row = finished(app, segments=1, peaks=1, file="Interview – <Teil> 2.mp4")
    playback.save_playback(folders, row.exhibit.sha256, VIDEO)
    return row


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def desk_data(index: bytes) -> dict:
    match = re.search(r'<script[^>]*id="review-data"[^>]*>(.*?)</script>', index.decode(), re.DOTALL)
    assert match
    return json.loads(match[1])


def test_a_bundle_is_complete(client, row, folders):
    answer = client.get(f"/analyses/{row.id}/bundle.zip")
    assert answer.status_code == 200 and answer.mimetype == "application/zip"
    name = f"reelproof-Interview-Teil-2-{row.exhibit.sha256[:8]}-bundle.zip"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    assert answer.content_length == len(answer.data)
    files = unpacked(answer.data)
    assert set(files) == {
        "README.txt",
        "analysis.json",
        "annotations.json",
        "case.json",
        "custody.json",
        "index.html",
        "manifest.json",
        "manifest.sha256",
        "verify.py",
        "media/exhibit.mp4",
        "overlays/A1-1-frame.png",
        "overlays/A1-1-map.png",
        "overlays/A1-1.png",
        "report.html",
        "report.pdf",
        "sha256sums.txt",
    }
    folder = folders.result(row.id)
    for same in ("analysis.json", "report.pdf", "report.html", "overlays/A1-1.png"):
        assert files[same] == (folder / same).read_bytes()
    assert hashlib.sha256(files["media/exhibit.mp4"]).hexdigest() == row.exhibit.sha256
    manifest = json.loads(files["manifest.json"])
    listed = {entry["path"]: entry for entry in manifest["files"]}
    assert set(listed) == set(files) - {"manifest.json", "manifest.sha256"}
    for path, entry in listed.items():
        assert (entry["bytes"], entry["sha256"]) == (
            len(files[path]),
            hashlib.sha256(files[path]).hexdigest(),
        )
    assert manifest["analysis"] == row.id and manifest["exhibit"]["sha256"] == row.exhibit.sha256
    assert manifest["model"] == {"name": "efficientnet_lite0_faces", "sha256": "a7" * 32}
    assert manifest["software"]["reelproof"] and manifest["made"].endswith("Z")
    assert list(folders.incoming.iterdir()) == []


def test_annotations_during_bundling_go_into_the_next_bundle(app, client, row, tmp_path, monkeypatch):
    """The log in the bundle ends before the annotation as well, because the files beside it lack it."""
    address, before = f"/analyses/{row.id}", bundle_downloads.current_report
    client.post(f"/api/v1{address}/annotations", json=AGREE)
    client.get(f"{address}/report.html")  # a download is in the log of a bundle with the same report

    def meanwhile(*asked, **how):
        place = before(*asked, **how)
        assert app.test_client().post(f"/api/v1{address}/annotations", json=AGREE).status_code == 201
        return place

    monkeypatch.setattr(bundle_downloads, "current_report", meanwhile)
    bundle = client.get(f"{address}/bundle.zip").data
    monkeypatch.setattr(bundle_downloads, "current_report", before)
    for data, count in ((bundle, 1), (client.get(f"{address}/bundle.zip").data, 2)):
        files = unpacked(data)
        log = json.loads(files["custody.json"])
        ids = [e["details"]["id"] for e in log["entries"] if e["action"] == "annotation"]
        assert ids == [e["id"] for e in json.loads(files["annotations.json"])["annotations"]]
        assert len(ids) == count and "export" in {entry["action"] for entry in log["entries"]}
        (tmp_path / "bundle.zip").write_bytes(data)
        problems = verify(tmp_path / "bundle.zip").results.problems
        assert {problem.file for problem in problems} <= {"report.pdf", "report.html"}  # stand-ins


def test_the_page_finds_its_files(client, row):
    files = unpacked(client.get(f"/analyses/{row.id}/bundle.zip").data)
    data = desk_data(files["index.html"])
    assert data["media"]["source"] == "media/exhibit.mp4" and data["media"]["offset"] == 0.25
    peak = data["segments"][0]["peaks"][0]
    assert {peak["frame"], peak["overlay"], peak["map"]} <= set(files)
    assert data["analysis"]["sha256"] == hashlib.sha256(files["analysis.json"]).hexdigest()
    index = files["index.html"].decode()
    for target in re.findall(r'(?:href|src)="([^"#][^"]*)"', index):
        assert target.startswith(("data:", "#")) or target in files, target


def test_the_readme_explains_verification(client, row):
    text = unpacked(client.get(f"/analyses/{row.id}/bundle.zip").data)["README.txt"].decode()
    assert "sha256sum --check sha256sums.txt" in text and row.exhibit.sha256 in text
    assert "media/exhibit.mp4 is the unchanged exhibit" in text


def test_the_readme_lists_the_custody_log_only_if_included(client, row, monkeypatch):
    address = f"/analyses/{row.id}/bundle.zip"
    assert b"\ncustody.json " in unpacked(client.get(address).data)["README.txt"]
    monkeypatch.setattr(disclosure, "hidden_analyses", lambda *_: frozenset(("of somebody else",)))
    files = unpacked(client.get(address).data)
    assert "custody.json" not in files and b"custody.json" not in files["README.txt"]


def test_the_readme_is_translated(client, row):
    packed = client.get(f"/analyses/{row.id}/bundle.zip?language=de").data
    text = unpacked(packed)["README.txt"].decode()
    assert text.startswith("Reelproof-Prüfpaket\n===================\n")
    assert "media/exhibit.mp4 ist das Asservat, wie es übergeben wurde" in text
    assert "sha256sum --check sha256sums.txt" in text and row.exhibit.sha256 in text
    assert "Anzeichen einer Manipulation (" in text and "manipulat" not in text


@pytest.mark.parametrize("kind", ["asked", "never made", "none"])
def test_without_the_video(client, row, folders, kind):
    if kind == "never made":
        folders.playback(row.exhibit.sha256).unlink()
    elif kind == "none":
        nothing = dataclasses.replace(VIDEO, source="none", reason="There is no preview.")
        playback.save_playback(folders, row.exhibit.sha256, nothing)
    files = unpacked(
        client.get(
            f"/analyses/{row.id}/bundle.zip", query_string={"video": "no"} if kind == "asked" else {}
        ).data
    )
    assert not any(name.startswith("media/") for name in files)
    data = desk_data(files["index.html"])
    assert data["media"]["source"] is None
    assert ("without the video" in data["media"]["reason"]) == (kind == "asked")
    assert b"The video is not in this bundle." in files["README.txt"]


def test_a_preview_replaces_the_exhibit(client, row, folders):
    folders.preview(row.exhibit.sha256).write_bytes(b"a preview")
    playback.save_playback(
        folders, row.exhibit.sha256, dataclasses.replace(VIDEO, source="preview", offset=0.0)
    )
    files = unpacked(client.get(f"/analyses/{row.id}/bundle.zip?video=yes").data)
    assert files["media/preview.mp4"] == b"a preview" and "media/exhibit.mp4" not in files
    assert b"It is not evidence" in files["README.txt"]


def test_a_photo_is_included_unchanged(app, client, folders):
    row = finished(app, kind=MediaKind.IMAGE, segments=1, peaks=1, file="photo.jpg")
    playback.save_playback(folders, row.exhibit.sha256, Playback("exhibit", "image/jpeg", 0.0, 4, 4, ""))
    assert "media/exhibit.jpg" in unpacked(client.get(f"/analyses/{row.id}/bundle.zip").data)
    without = unpacked(client.get(f"/analyses/{row.id}/bundle.zip?video=no").data)
    assert b"The photo is not in this bundle." in without["README.txt"]
    assert "without the photo" in desk_data(without["index.html"])["media"]["reason"]


def test_annotations_are_included_and_can_be_imported(app, client, row):
    made = client.post(f"/api/v1/analyses/{row.id}/annotations", json=AGREE).json["annotation"]
    data = client.get(f"/analyses/{row.id}/bundle.zip").data
    files = unpacked(data)
    document = json.loads(files["annotations.json"])
    assert document["annotations"] == [made] and document["analysis"] == row.id
    assert b"seams at the jaw" in files["index.html"]
    manifest = json.loads((app_result(app, row) / "manifest.json").read_bytes())
    assert manifest["contents"] == "result"  # the stored result's own is another one, and untouched

    def bring(content: bytes):
        boundary, form = encode_multipart({"file": FileStorage(io.BytesIO(content), "bundle.zip")})
        kind = f"multipart/form-data; boundary={boundary}"
        return client.post(f"/api/v1/analyses/{row.id}/annotations/import", data=form, content_type=kind)

    back = bring(data).json
    assert (back["new"], back["known"]) == (0, 1)
    torn = io.BytesIO(data)
    with zipfile.ZipFile(torn, "a") as archive:
        archive.writestr("overlays/extra.png", b"x")
    assert "overlays/extra.png is not in the manifest" in bring(torn.getvalue()).json["detail"]


def app_result(app, row):
    return Folders.local(app.extensions["settings"].data).result(row.id)


def test_the_bundle_matches_its_report(app, client, row, monkeypatch):
    """Somebody annotates the analysis and changes its case while the report is rendered."""
    address, render, check = f"/analyses/{row.id}", report_downloads._render, integrity.check_exhibit
    rendered = []

    def checked(*args, **more):
        assert client.post(f"/api/v1{address}/annotations", json=AGREE).status_code == 201
        return check(*args, **more)

    def rendering(analysis, given, known, place):
        rendered.append(given)
        render(analysis, given, known, place)
        assert client.post(f"/api/v1{address}/annotations", json=AGREE | {"note": "later"}).status_code == 201
        assert client.post(f"{address}/case", data={"case_number": "later"}).status_code == 303

    monkeypatch.setattr(integrity, "check_exhibit", checked)
    monkeypatch.setattr(report_downloads, "_render", rendering)
    files = unpacked(app.test_client().get(f"{address}/bundle.zip").data)
    notes = json.loads(files["annotations.json"])["annotations"]
    assert [annotation["note"] for annotation in notes] == [AGREE["note"]]
    assert notes == rendered[0]["annotations"]
    assert json.loads(files["case.json"])["case_number"] == "" == rendered[0]["case"]["case_number"]
    assert len(client.get(f"/api/v1{address}/annotations").json["annotations"]) == 2


def test_bundles_are_reproducible(client, row, monkeypatch):
    monkeypatch.setattr("webapp.downloads.bundles.now", lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))
    first = client.get(f"/analyses/{row.id}/bundle.zip").data
    # The log has grown by that bundle, and so has the next one.
    log = unpacked(first)["custody.json"]
    assert len(unpacked(client.get(f"/analyses/{row.id}/bundle.zip").data)["custody.json"]) > len(log)
    monkeypatch.setattr("webapp.downloads.kept_reports.log_beside", lambda _session, _exhibit, _place: log)
    assert client.get(f"/analyses/{row.id}/bundle.zip").data == first


def test_lack_of_space_is_reported_before_writing(client, row, folders, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Disk(10**12, 10**12, 1000))
    answer = client.get(f"/analyses/{row.id}/bundle.zip")
    assert answer.status_code == 507 and "to make the bundle" in answer.text
    assert list(folders.incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "room", "words"),
    [
        ("", 4_000_000, "or take the bundle without the video"),
        ("", 1000, "on the disk that holds Reelproof&#39;s data, then try again"),
        ("?video=no", 1000, "on the disk that holds Reelproof&#39;s data, then try again"),
    ],
)
def test_leaving_out_the_video_is_advised_if_that_helps(app, client, row, monkeypatch, asked, room, words):
    video = Folders.local(app.extensions["settings"].data).preview(row.exhibit.sha256)
    video.write_bytes(bytes(5_000_000))
    monkeypatch.setattr(
        playback, "playable_file", lambda *_: (video, Playback("preview", "video/mp4", 0.0, 4, 4, ""))
    )
    free = app.extensions["settings"].spare + room
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Disk(10**12, 10**12, free))
    answer = client.get(f"/analyses/{row.id}/bundle.zip{asked}")
    assert answer.status_code == 507 and words in answer.text


def test_failed_bundles_leave_no_files(client, row, folders, monkeypatch):
    def broken(*_arguments):
        (folders.incoming / "kept?").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_downloads.review_bundle, "_put", broken)
    answer = client.get(f"/analyses/{row.id}/bundle.zip")
    assert answer.status_code == 507 and "to make the bundle" in answer.text
    assert [path.name for path in folders.incoming.iterdir()] == ["kept?"]


def test_bundles_need_a_finished_analysis_and_valid_options(app, client, row):
    assert client.get(f"/analyses/{hand_in(app, b'waits').id}/bundle.zip").status_code == 409
    assert client.get(f"/analyses/{'0' * 32}/bundle.zip").status_code == 404
    assert client.get(f"/analyses/{row.id}/bundle.zip?video=maybe").status_code == 400
