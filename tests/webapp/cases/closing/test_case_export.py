"""Exporting a case."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from contextlib import ExitStack

import pytest
from made_cases import entries, ids
from sqlalchemy import select

from language.languages import LANGUAGES
from verification.verify import verify
from webapp.cases import export
from webapp.http import in_turn
from webapp.storage.tables import CaseRow, Exhibit, User

pytestmark = pytest.mark.usefixtures("quick_reports")


@pytest.mark.parametrize("spoken", ["en", "de"])
def test_export_links_name_their_language(ada, case, spoken):
    page = ada.get(case, headers={"Accept-Language": spoken}).text
    asked = "" if spoken == "en" else f"?language={spoken}"
    offered = re.findall(rf'href="({case}/case.zip[^"]*)"', page)
    others = [f"{case}/case.zip?language={code}" for code in LANGUAGES if code != spoken]
    assert offered == [f"{case}/case.zip{asked}", *others]


def test_export_contains_everything(app, ada, case, tmp_path):
    answer = ada.get(f"{case}/case.zip")
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(files["case.json"])
    assert (about["name"], about["members"], len(about["analyses"])) == ("K-17/26", ["ada"], 2)
    for analysis in about["analyses"]:
        assert hashlib.sha256(files[f"exhibits/{analysis['exhibit']}"]).hexdigest() == analysis["exhibit"]
        bundle = tmp_path / "bundle.zip"
        bundle.write_bytes(files[analysis["bundle"]])
        # The reports in it are stand-ins; all else fits.
        assert {p.file for p in verify(bundle).results.problems} <= {"report.html", "report.pdf"}
    sums = dict(line.split("  ")[::-1] for line in files["sha256sums.txt"].decode().splitlines())
    assert sums == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name != "sha256sums.txt"
    }
    whole = entries(app, "export")[-1]
    assert (whole["what"], whole["sha256"]) == ("case", hashlib.sha256(answer.data).hexdigest())


@pytest.mark.parametrize(
    ("asked", "title"), [("", "Reelproof review bundle"), ("?language=de", "Reelproof-Prüfpaket")]
)
def test_export_in_another_language(app, ada, case, asked, title):
    assert f"{case.partition('localhost')[2]}/case.zip?language=de" in ada.get(case).text
    with zipfile.ZipFile(io.BytesIO(ada.get(f"{case}/case.zip{asked}").data)) as archive:
        bundles = [
            io.BytesIO(archive.read(name)) for name in archive.namelist() if name.startswith("analyses/")
        ]
    for content in bundles:
        with zipfile.ZipFile(content) as bundle:
            assert bundle.read("README.txt").decode().startswith(f"{title}\n")


def test_interrupted_export_is_no_zip_and_is_recorded(app, ada, case, tmp_path):
    answer = ada.get(f"{case}/case.zip", buffered=False)
    pieces = iter(answer.response)
    got = next(pieces) + next(pieces)
    assert got.startswith(b"PK") and not list((tmp_path / "data" / "incoming").iterdir())
    answer.close()  # the browser has gone
    broken = entries(app, "export")[-1]
    assert (broken["what"], broken["broken off"]) == ("case", "yes") and "sha256" not in broken
    assert broken["bytes"] >= len(got)
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(got))
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(CaseRow)).one().exported is None
    for _ in range(6):  # none of them holds a place any more
        head = ada.head(f"{case}/case.zip")
        assert head.status_code == 200
    assert ada.get(f"{case}/case.zip").status_code == 200


def test_slow_reader_does_not_block_other_exports(app, ada, root, case):
    with app.extensions["database"].begin() as session:
        her = session.scalars(select(User.id).where(User.name == "ada")).one()
    with export._EXPORTS.slot(her):
        answer = ada.get(f"{case}/case.zip", buffered=False)
        refused = ada.get(f"{case}/case.zip")
        assert refused.status_code == 503 and "Try again when they are done" in refused.text
        answer.close()
        assert ada.get(f"{case}/case.zip").status_code == 200
        with export._EXPORTS.slot(her):
            assert ada.get(f"{case}/case.zip").status_code == 503
            assert root.get(f"{case}/case.zip").status_code == 200
    assert export._EXPORTS.taken() == 0


def test_export_continues_while_reports_are_queued(app, ada, case):
    with ExitStack() as waiting:
        for number in range(8):
            waiting.enter_context(in_turn.LINE.slot(1000 + number))
        assert ada.get(f"/analyses/{ids(app)[0]}/bundle.zip").status_code == 503
        with zipfile.ZipFile(io.BytesIO(ada.get(f"{case}/case.zip").data)) as archive:
            assert archive.testzip() is None


def test_missing_exhibit_fails_before_streaming(app, ada, case):
    with app.extensions["database"].begin() as session:
        path = session.scalars(select(Exhibit)).first().path
    (app.extensions["settings"].data / path).unlink()
    answer = ada.get(f"{case}/case.zip")
    assert answer.status_code == 500 and "bytes that were uploaded" in answer.text
    assert not [entry for entry in entries(app, "export") if entry.get("what") == "case"]
