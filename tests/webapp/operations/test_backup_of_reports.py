"""Reports of the real engine: backed up under load, restored, compared byte by byte."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import machines
import pytest
from app_process import App, skip_sample, wait

from webapp.storage.data_folder import Folders

pytestmark = pytest.mark.slow

# Every other clip has each face flagged, so that there is something to explain and to draw.
_FLAG_ALL = '{"enter_threshold": 0.02, "exit_threshold": 0.01, "minimum_duration": 0}'
_ASKED = ("report.pdf", "report.html")
# What of a bundle tells when it was made, and by which acts: another one of the same analysis differs there.
_OF_THE_MOMENT = {"custody.json", "manifest.json", "manifest.sha256", "sha256sums.txt", "README.txt"}


class Load:
    """Clips that are handed in one after the other, so that one is always analysed and one waits."""

    def __init__(self, app: App, place: Path) -> None:
        self._app, self._place, self._enough = app, place, threading.Event()
        self.handed_in = 0
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._enough.is_set():
            if sum(state != "done" for state, _, _ in self._app.rows().values()) < 3:
                clip = machines.clip(self._place / f"{self.handed_in}.mp4", self.handed_in)
                with contextlib.suppress(urllib.error.URLError, OSError):  # it was killed under it
                    # Slowly: an upload is on its way most of the time.
                    self._app.upload(clip, True, _FLAG_ALL if self.handed_in % 2 else "")
                    self.handed_in += 1
            time.sleep(0.2)

    def end(self) -> None:
        self._enough.set()
        self._thread.join()


def fetched(address: str, id_: str, name: str) -> bytes:
    with urllib.request.urlopen(f"{address}/analyses/{id_}/{name}", timeout=600) as answer:
        return answer.read()


def annotate(address: str, id_: str) -> None:
    body = {"kind": "exhibit", "verdict": "unsure", "author": "Ada", "note": "to be looked at again"}
    headers = {"Content-Type": "application/json", "Origin": address}
    asked = urllib.request.Request(
        f"{address}/api/v1/analyses/{id_}/annotations", json.dumps(body).encode(), headers
    )
    urllib.request.urlopen(asked, timeout=600).close()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unpacked(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name not in _OF_THE_MOMENT}
    document = json.loads(files["annotations.json"])
    assert document.pop("saved") and document["annotations"]
    return files | {"annotations.json": json.dumps(document).encode()}


def command(data: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "webapp", *words],
        cwd=machines.ROOT,
        env=os.environ | {"REELPROOF_DATA": str(data)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def finished(app: App) -> set[str]:
    return {id_ for id_, (state, _, _) in app.rows().items() if state == "done"}


def test_restored_reports_are_identical(tmp_path):
    source, kept, target = tmp_path / "source", tmp_path / "kept", tmp_path / "target"
    skip_sample(source)
    app = App(source)
    app.start()
    load = Load(app, tmp_path)
    try:
        wait(lambda: len(finished(app)) >= 4)
        compared = sorted(finished(app))
        for id_ in compared:
            annotate(app.address, id_)
        results = {id_: contents(Folders.local(source).result(id_)) for id_ in compared}
        reports = {(id_, name): fetched(app.address, id_, name) for id_ in compared for name in _ASKED}
        bundles = {id_: fetched(app.address, id_, "bundle.zip") for id_ in compared}
        before = load.handed_in
        assert any(state != "done" for state, _, _ in app.rows().values())  # others are at work
        command(source, "backup", str(kept))
        wait(lambda: load.handed_in > before)  # it went on
    finally:
        app.kill()
        load.end()
    shutil.rmtree(source)

    assert "all as written" in command(target, "check-backup", str(kept))
    command(target, "restore", str(kept))
    assert "The chain is whole" in command(target, "verify-log")
    for id_, files in results.items():
        assert contents(Folders.local(target).result(id_)) == files
    again = App(target, REELPROOF_WORKERS="0")
    again.start()
    try:
        there = finished(again)
        assert set(compared) <= there
        for (id_, name), content in reports.items():
            assert content.startswith(b"%PDF" if name.endswith("pdf") else b"<!")
            assert fetched(again.address, id_, name) == content, (id_, name)
        for id_, bundle in bundles.items():
            old, new = unpacked(bundle), unpacked(fetched(again.address, id_, "bundle.zip"))
            assert {"report.html", "report.pdf", "analysis.json", "index.html"} <= old.keys()
            assert old.keys() == new.keys()
            assert [name for name in old if old[name] != new[name]] == []
    finally:
        again.kill()
    distinct = {hashlib.sha256(content).hexdigest() for content in reports.values()}
    assert len(distinct) == len(reports)
    sizes = sum(map(len, reports.values()))
    print(
        f"\n{len(there)} analyses in the backup, {len(compared)} compared, {len(reports)} reports "
        f"of {sizes:,} bytes, {len(bundles)} bundles; {load.handed_in} clips handed in"
    )
