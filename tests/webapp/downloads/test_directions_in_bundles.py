"""Pages, bundles, REST, messages and logs hold no character that changes the reading direction."""

from __future__ import annotations

import io
import json
import logging
import zipfile

import pytest
from analyses import media
from flask import Flask
from flask.testing import FlaskClient
from made_results import finished

from detector.schema.analysis import MediaKind
from detector.schema.metadata import Details, Tag
from webapp import logs

TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def turns(content: bytes) -> set[str]:
    return set(TURNS) & set(content.decode("utf-8", "replace"))


@pytest.mark.usefixtures("quick_reports")
def test_pages_bundles_and_answers(app: Flask, client: FlaskClient) -> None:
    details = Details(tags=(Tag(place="file", name="title", value=f"a{TURNS}b"),))
    row = finished(app, {"media": media(MediaKind.VIDEO, 60.0, details=details)}, segments=1, peaks=1)
    note = f"first {TURNS} line\nsecond {TURNS} line"
    said = {"kind": "segment", "segment": "A1", "verdict": "agree", "author": "Ann", "note": note}
    assert client.post(f"/api/v1/analyses/{row.id}/annotations", json=said).status_code in (200, 201)
    bundle = client.get(f"/analyses/{row.id}/bundle.zip?video=no")
    assert bundle.status_code == 200
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    texts = [name for name in files if name.endswith((".html", ".json", ".txt"))]
    assert {"index.html", "annotations.json", "analysis.json", "README.txt", "custody.json"} <= set(texts)
    assert [name for name in texts if turns(files[name])] == []
    assert rb"\u202e" in files["index.html"]
    assert json.loads(files["annotations.json"])["annotations"][0]["note"] == note
    for address in (
        f"/analyses/{row.id}",
        f"/analyses/{row.id}/custody",
        f"/api/v1/analyses/{row.id}/annotations",
        f"/api/v1/analyses/{row.id}/annotations",
        f"/api/v1/analyses/{row.id}",
    ):
        answer = client.get(address)
        assert answer.status_code == 200 and not turns(answer.data), address
    shown = client.get(f"/api/v1/analyses/{row.id}/annotations").json
    assert note in json.dumps(shown, ensure_ascii=False).replace("\\n", "\n")


@pytest.mark.parametrize("as_json", (False, True))
def test_logs(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure(as_json=as_json)
        logging.getLogger("webapp.test").warning("the file %s is missing", f"clip{TURNS}4pm.exe")
        text = capsys.readouterr().err
    finally:
        root.handlers[:], root.level = handlers, level
    assert "is missing" in text and not turns(text.encode())
