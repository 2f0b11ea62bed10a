"""Exports over HTTP: the same bytes as from the command line, and errors in words."""

from __future__ import annotations

import contextlib
import hashlib
import html
import io
import json
import re
import threading
import zipfile
from pathlib import Path

import pytest
from annotated_clips import CONSTANT, case, picture, read
from clips import write_clip
from flask import Flask
from flask.testing import FlaskClient
from made_results import finished, hand_in
from sqlalchemy import select
from waiting import PATIENCE, until

from detector.schema.analysis import MediaKind
from reports.errors import ReportError
from reports.exports import spreadsheets
from reports.exports.formats import FORMATS, Format
from webapp.downloads import exports
from webapp.exhibits.results import load_result
from webapp.http import in_turn
from webapp.storage.data_folder import Folders
from webapp.storage.tables import CustodyRow


def place(app: Flask, analysis_id: str) -> Path:
    return Folders.local(app.extensions["settings"].data).result(analysis_id)


@pytest.mark.parametrize("name", FORMATS)
def test_exports_match_the_command_line(app: Flask, client: FlaskClient, name: str) -> None:
    row = finished(app, segments=2, file="Interview – Teil 2.mp4")
    folder = place(app, row.id)
    expected = io.BytesIO()
    FORMATS[name].write(load_result(folder).analysis, folder, expected)
    answer = client.get(f"/analyses/{row.id}/exports/{name}")
    assert answer.status_code == 200
    kind, _, charset = answer.headers["Content-Type"].partition("; ")
    assert kind == FORMATS[name].mimetype.partition(";")[0]
    assert charset == ("charset=utf-8" if kind.startswith("text/") else "")
    assert answer.headers["Content-Disposition"].startswith(
        "attachment; filename=reelproof-Interview-Teil-2-"
    )
    assert answer.headers["Content-Disposition"].endswith(FORMATS[name].ending)
    assert int(answer.headers["Content-Length"]) == len(answer.data) == len(expected.getvalue())
    german = client.get(f"/analyses/{row.id}/exports/{name}", headers={"Accept-Language": "de"})
    if name not in {"otio", "scores-parquet"}:  # their libraries may write ids of their own
        assert german.data == answer.data == expected.getvalue()
    if name == "otio":
        assert b"signs of manipulation" in german.data and b"Anzeichen" not in german.data


def test_impossible_exports_are_explained(app: Flask, client: FlaskClient) -> None:
    photo = finished(app, kind=MediaKind.IMAGE, segments=1, file="portrait.png")
    folder = place(app, photo.id)
    refused = 0
    for name, chosen in FORMATS.items():
        answer = client.get(f"/analyses/{photo.id}/exports/{name}")
        try:
            chosen.write(load_result(folder).analysis, folder, io.BytesIO())
        except ReportError as problem:
            refused += 1
            assert answer.status_code == 409
            assert str(problem) in html.unescape(answer.text)
        else:
            assert answer.status_code == 200
    assert refused, "a photo has no timeline to edit"


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_the_page_links_possible_exports(app: Flask, client: FlaskClient, kind: MediaKind) -> None:
    row = finished(app, kind=kind, segments=1)
    links = re.findall(r'href="([^"]+/exports/[^"]+)"', client.get(f"/analyses/{row.id}").text)
    assert f"/analyses/{row.id}/exports/csv" in links
    assert any(link.endswith("edl") for link in links) == (kind is MediaKind.VIDEO)
    assert {link: client.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_the_annotated_video_is_drawn_kept_and_recorded(
    app: Flask, client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5]))
    made = case(clip).analysis
    names = ("media", "persons", "segments", "verdict", "coverage")
    fields = {name: getattr(made, name) for name in names}
    row = finished(app, fields, content=clip.read_bytes(), file="clip.mp4")
    address = f"/analyses/{row.id}/annotated.mp4"
    assert f'href="{address}"' in client.get(f"/analyses/{row.id}").text
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "video/mp4")
    (tmp_path / "out.mp4").write_bytes(answer.data)
    assert len(read(tmp_path / "out.mp4")) == 5
    monkeypatch.setattr(exports, "_run", None)  # it is kept
    assert client.get(address).data == answer.data
    with app.extensions["database"].begin() as session:
        entries = session.scalars(select(CustodyRow.details).where(CustodyRow.action == "export")).all()
    assert len(entries) == 2 and all("annotated.mp4" in str(entry) for entry in entries)


def test_what_cannot_be_annotated_is_explained(app: Flask, client: FlaskClient) -> None:
    photo = finished(app, kind=MediaKind.IMAGE, segments=1, file="portrait.png")
    assert "annotated.mp4" not in client.get(f"/analyses/{photo.id}").text
    assert client.get(f"/analyses/{photo.id}/annotated.mp4").status_code == 409
    other = finished(app)  # whose bytes are no video
    answer = client.get(f"/analyses/{other.id}/annotated.mp4")
    assert answer.status_code == 409 and "The report and the bundle hold the same findings." in answer.text


def test_unknown_formats_and_unfinished_analyses(app: Flask, client: FlaskClient) -> None:
    row = finished(app)
    assert client.get(f"/analyses/{row.id}/exports/exe").status_code == 404
    assert client.get(f"/analyses/{hand_in(app).id}/exports/csv").status_code == 409
    assert list(Folders.local(app.extensions["settings"].data).incoming.iterdir()) == []


def test_library_and_custody_log_as_spreadsheets(app: Flask, client: FlaskClient) -> None:
    row = finished(app, segments=1, file="Müller.mp4")
    finished(app, segments=0, file="=1+1.mp4")
    answer = client.get("/analyses.xlsx?sort=name")
    assert answer.status_code == 200 and answer.mimetype == spreadsheets.MIMETYPE
    text = shared_text(answer.data)
    assert {"Müller.mp4", "'=1+1.mp4", row.exhibit.sha256, "Provenance"} <= text | sheet_names(answer.data)
    assert "Müller.mp4" not in shared_text(client.get("/analyses.xlsx?q=1%2B1").data)
    assert "/analyses.xlsx?" in client.get("/analyses?sort=name").text
    answer = client.get(f"/analyses/{row.id}/custody.xlsx")
    assert answer.status_code == 200 and {"intake", "analysis finished"} <= shared_text(answer.data)
    assert "custody.xlsx" in client.get(f"/analyses/{row.id}/custody").text
    logged = shared_text(client.get(f"/analyses/{row.id}/custody.xlsx").data)
    assert any('"file": "custody.xlsx"' in cell for cell in logged)


def test_a_kept_export_is_sent_again(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made anew only if it was changed; the web process makes none itself."""
    row, made, run = finished(app, segments=1), [], exports._run

    def counted(module: str, out: Path, *arguments: str, **more: object) -> None:
        made.append(arguments[1])
        run(module, out, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(exports, "_run", counted)
    monkeypatch.setattr(Format, "write", None)
    first, second = (client.get(f"/analyses/{row.id}/exports/scores-xlsx") for _ in range(2))
    assert first.data == second.data and made == ["scores-xlsx"]
    folders = Folders.local(app.extensions["settings"].data)
    (kept,) = folders.reports_of(row.id).glob("exports/*/scores.xlsx")
    kept.write_bytes(b"something else")
    assert client.get(f"/analyses/{row.id}/exports/scores-xlsx").data == first.data
    assert made == ["scores-xlsx"] * 2


@pytest.mark.parametrize(
    "address", ["/analyses/{id}/exports/scores-xlsx", "/analyses.xlsx", "/analyses/{id}/custody.xlsx"]
)
def test_exports_wait_in_the_line_of_reports(
    app: Flask, client: FlaskClient, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = finished(app, segments=1)
    address = address.format(id=row.id)
    with contextlib.ExitStack() as others:
        for number in range(8):
            others.enter_context(in_turn.LINE.slot(number))
        full = client.get(address)
    assert full.status_code == 503 and full.headers["Retry-After"] == "5" and b"http-equiv" in full.data
    monkeypatch.setattr(in_turn, "PATIENCE", 0.05)
    with in_turn.WORKING:
        assert client.get(address).status_code == 503
    assert client.get(address).status_code == 200
    assert in_turn.LINE.taken() == 0


def test_a_table_that_took_long_is_sent_to_who_asks_again(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(app, segments=1, file="Müller.mp4")
    run, ready, asked = exports._run, threading.Event(), []

    def slow(*arguments: object, **more: object) -> None:
        asked.append(arguments)
        ready.wait(PATIENCE)
        run(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(exports, "_run", slow)
    monkeypatch.setattr(in_turn, "ANSWER_WITHIN", 0.05)
    assert client.get("/analyses.xlsx").status_code == 503
    ready.set()
    until(lambda: not in_turn.WORKING.locked(), "the table was not made")
    answer = client.get("/analyses.xlsx")
    assert answer.status_code == 200 and "Müller.mp4" in shared_text(answer.data) and len(asked) == 1
    assert list(Folders.local(app.extensions["settings"].data).incoming.iterdir()) == []


def test_the_library_as_a_spreadsheet_is_recorded(app: Flask, client: FlaskClient) -> None:
    row = finished(app, segments=1)
    data = client.get("/analyses.xlsx").data
    with app.extensions["database"].begin() as session:
        entries = [
            (json.loads(entry.details), entry.exhibit)
            for entry in session.scalars(select(CustodyRow).where(CustodyRow.action == "export"))
        ]
    expected = {"file": "analyses.xlsx", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert entries == [(expected, None)]
    assert client.get(f"/analyses/{row.id}/custody").status_code == 200


def shared_text(content: bytes) -> set[str]:
    """All texts of the cells."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheets = [book.read(name).decode() for name in book.namelist() if "/worksheets/" in name]
    return {html.unescape(text) for sheet in sheets for text in re.findall("<t[^>]*>([^<]*)</t>", sheet)}


def sheet_names(content: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return set(re.findall('sheet name="([^"]*)"', book.read("xl/workbook.xml").decode()))
