"""A data folder of version 0.1, made before modules moved (commit 80e6eaa), opens as it is.

``data-folder-0.1.zip`` holds a portrait the engine analysed, a made-up finding with an annotation, an exhibit
that waits, an account, a case, the recording of a live session, and the bundle of the finding.

``data-folder-0.2.zip`` (commit 817ade89) holds a portrait that the engine analysed, two made-up findings,
one with an annotation and one by ``reelproof-2``, which was the chosen default and is no longer part of
Reelproof, their comparison, an exhibit that waits, an account, a case, and the bundle of the first finding
without its report.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from pathlib import Path

import pytest
from people import signed_in, with_login
from sqlalchemy import text

from cli.web import main as cli
from detector.files import ROOT
from detector.models.model_files import DEFAULT_MODEL
from detector.schema.analysis import Analysis
from detector.schema.comparison import Comparison
from language.translation import speaking
from reports.comparison.comparison_section import comparison_view
from reports.render.html import render_html
from reports.report_view import ReportInputs, report_view
from verification.verify import verify
from webapp.custody import custody_log
from webapp.installed_models.service import default_model
from webapp.operations import backup, restore
from webapp.settings import read_settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import REVISION, connect

ARCHIVE = ROOT / "tests" / "data" / "data-folder-0.1.zip"
pytestmark = pytest.mark.usefixtures("not_quick")


@pytest.fixture
def old(tmp_path) -> Path:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    for key in ("custody.key", "secret.key"):
        (tmp_path / "data" / key).chmod(0o600)
    _complete_log(tmp_path / "data")
    return tmp_path


def _complete_log(data: Path) -> None:
    """Put in what the app logs, and what made the archive's account and made-up finding did not."""
    database = connect(read_settings({"REELPROOF_DATA": data}))
    with database.begin() as session:
        custody_log.append_access_event(session, "account made", account="ada", role="administrator")
        query = text(
            "SELECT a.id, e.sha256 FROM analyses a JOIN exhibits e ON e.id = a.exhibit_id WHERE file = :f"
        )
        analysis_id, exhibit = session.execute(query, {"f": "interview.mp4"}).one()
        manifest = hashlib.sha256(
            (Folders.local(data).result(analysis_id) / "manifest.json").read_bytes()
        ).hexdigest()
        details = {"manifest sha256": manifest, "verdict": "manipulated"}
        custody_log.append(session, "analysis finished", details, exhibit=exhibit, analysis=analysis_id)
    database.close()


@pytest.fixture
def app(old, sent, not_quick):
    app = with_login(old / "data", sent)
    yield app
    app.extensions["database"].close()


def ids(old: Path) -> dict[str, str]:
    """Analyses by the names of their files, read past the app."""
    with sqlite3.connect(old / "data" / "reelproof.sqlite3") as database:
        return dict(database.execute("SELECT file, id FROM analyses").fetchall())


def test_users_sign_in_and_see_old_data(app, old):
    assert app.extensions["database"].revision() == REVISION
    ada = signed_in(app, "ada")
    library = ada.get("/analyses").text
    for file in ("portrait.mp4", "interview.mp4", "waits.mp4"):
        assert file in library
    assert "Case 7" in ada.get("/cases").text
    for file in ("portrait.mp4", "interview.mp4"):
        assert ada.get(f"/analyses/{ids(old)[file]}").status_code == 200
        answer = ada.get(f"/analyses/{ids(old)[file]}/analysis.json")
        assert answer.status_code == 200 and Analysis.from_json(answer.data).media.file == file
    assert "seams at the jaw" in ada.get(f"/api/v1/analyses/{ids(old)['interview.mp4']}/annotations").text


def test_report_is_rendered_again(app, old):
    answer = signed_in(app, "ada").get(f"/analyses/{ids(old)['portrait.mp4']}/report.html")
    assert answer.status_code == 200 and "portrait.mp4" in answer.text


def test_the_live_recording_is_shown(app, old):
    (recording,) = (old / "data" / "live").iterdir()
    ada = signed_in(app, "ada")
    answer = ada.get(f"/live/{recording.name}")
    assert answer.status_code == 200 and "portrait.mp4" in answer.text
    state = json.loads((recording / "state.json").read_bytes())
    assert ada.get(f"/live/{recording.name}/pictures/{state['picture']['number']}.jpg").status_code == 200


def test_custody_log_is_intact(app, old, monkeypatch, capsys):
    assert signed_in(app, "ada").get(f"/analyses/{ids(old)['portrait.mp4']}/custody").status_code == 200
    monkeypatch.setenv("REELPROOF_DATA", str(old / "data"))
    assert cli.run(["verify-log"]) == 0
    assert "The chain is whole" in capsys.readouterr().out


def test_old_data_is_backed_up_and_restored(app, old, tmp_path, sent, monkeypatch, capsys):
    manifest = backup.make_backup(app.extensions["database"], app.extensions["settings"], tmp_path / "kept")
    assert manifest.missing == () and manifest.revision == REVISION
    restore.restore(read_settings({"REELPROOF_DATA": tmp_path / "again"}), tmp_path / "kept")
    for id_ in (ids(old)["portrait.mp4"], ids(old)["interview.mp4"]):
        files = [path for path in Folders.local(old / "data").result(id_).rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert (tmp_path / "again" / path.relative_to(old / "data")).read_bytes() == path.read_bytes()
    again = with_login(tmp_path / "again", sent)
    answer = signed_in(again, "ada").get(f"/analyses/{ids(old)['interview.mp4']}")
    assert answer.status_code == 200 and "interview.mp4" in answer.text
    again.extensions["database"].close()
    monkeypatch.setenv("REELPROOF_DATA", str(tmp_path / "again"))
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()


def test_waiting_exhibit_is_still_queued(app, old):
    with sqlite3.connect(old / "data" / "reelproof.sqlite3") as database:
        states = dict(database.execute("SELECT file, state FROM analyses").fetchall())
    assert states == {"portrait.mp4": "done", "interview.mp4": "done", "waits.mp4": "queued"}


def test_result_matches_its_manifest(old):
    assert verify(Folders.local(old / "data").result(ids(old)["portrait.mp4"])).results.problems == []


def test_bundle_matches_its_manifest(old):
    """All but its report, for which ``made.finished`` puts a stand-in: it would be most of the file."""
    problems = verify(old / "bundle.zip").results.problems
    assert {problem.file for problem in problems} <= {"report.html", "report.pdf"}
    with zipfile.ZipFile(old / "bundle.zip") as bundle:
        assert "seams at the jaw" in bundle.read("annotations.json").decode()


@pytest.fixture
def folder_of_0_2(tmp_path) -> Path:
    with zipfile.ZipFile(ROOT / "tests" / "data" / "data-folder-0.2.zip") as archive:
        archive.extractall(tmp_path)
    for key in ("custody.key", "secret.key"):
        (tmp_path / "data" / key).chmod(0o600)
    return tmp_path


def test_a_folder_of_0_2_opens_as_it_is(folder_of_0_2, sent, monkeypatch, capsys):
    app = with_login(folder_of_0_2 / "data", sent)
    ada, numbers = signed_in(app, "ada"), ids(folder_of_0_2)
    library = ada.get("/analyses").text
    for file in ("portrait.jpg", "interview.mp4", "second generation.mp4", "waits.mp4"):
        assert file in library
    for file in ("portrait.jpg", "interview.mp4", "second generation.mp4"):
        assert ada.get(f"/analyses/{numbers[file]}").status_code == 200
        analysis = Analysis.from_json(ada.get(f"/analyses/{numbers[file]}/analysis.json").data)
        assert analysis.media.file == file
    assert "Case 7" in ada.get("/cases").text
    assert "seams at the jaw" in ada.get(f"/api/v1/analyses/{numbers['interview.mp4']}/annotations").text
    with app.extensions["database"].begin() as session:
        (comparison,) = session.scalars(text("SELECT id FROM comparisons"))
        assert default_model(session, Folders.local(folder_of_0_2 / "data")) == DEFAULT_MODEL
    assert ada.get(f"/comparisons/{comparison}").status_code == 200
    assert "reelproof-2" in ada.get(f"/analyses/{numbers['second generation.mp4']}/report.html").text
    app.extensions["database"].close()
    monkeypatch.setenv("REELPROOF_DATA", str(folder_of_0_2 / "data"))
    assert cli.run(["verify-log"]) == 0, capsys.readouterr()
    portrait = Folders.local(folder_of_0_2 / "data").result(numbers["portrait.jpg"])
    assert verify(portrait).results.problems == []
    problems = verify(folder_of_0_2 / "bundle.zip").results.problems
    assert {problem.file for problem in problems} <= {"report.html", "report.pdf"}


NOTES = {
    "de": "Aussagen, die sie als Sätze schrieb, bleiben auf Englisch.",
    "es": "Lo que escribió como frases queda en inglés.",
}


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_sentences_of_earlier_versions_stay_in_english_and_reports_say_so(
    version: str, tmp_path: Path
) -> None:
    """Of results with a reason alone, with codes of reasons alone, and of a comparison."""
    with zipfile.ZipFile(ARCHIVE.with_name(f"data-folder-{version}.zip")) as archive:
        archive.extractall(tmp_path)
    results = [*(tmp_path / "data").rglob("analysis.json")]
    assert len(results) >= 2
    for path in results:
        analysis = Analysis.from_json(path.read_bytes())
        assert report_view(analysis, path.parent).statements_note == ""
        for code, note in NOTES.items():
            view = report_view(analysis, path.parent, ReportInputs(language_code=code))
            assert view.statements_note.endswith(note)
            assert (view.reason == analysis.reason) is not bool(analysis.causes)
            assert note in render_html(view, {picture.key: b"" for picture in view.pictures})
    for path in (tmp_path / "data").rglob("comparison.json"):
        comparison = Comparison.from_json(path.read_bytes())
        for code, note in NOTES.items():
            with speaking(code):
                shown = comparison_view(comparison, path.parent)
            assert shown.statement.startswith(comparison.statement) and shown.statement.endswith(note)
            assert shown.limits == comparison.limits
