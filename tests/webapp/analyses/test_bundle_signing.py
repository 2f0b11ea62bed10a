"""Bundles signed with the configured key."""

from __future__ import annotations

from pathlib import Path

import made_results
import pytest
from evidence import small_pdf
from keys import make_key
from made_results import finished
from time_authority import TimeAuthority

from verification.trusted_time import read_trust
from verification.verify import verify
from webapp.custody import signing
from webapp.settings import SettingError, read_settings
from webapp.storage.data_folder import Folders


@pytest.fixture
def row(app):
    return finished(app, segments=1, peaks=1)


def use(app, **changes: object) -> None:
    app.extensions["settings"] = app.extensions["settings"].model_copy(update=changes)


def read_bundle(client, row, place: Path, **asked: str):
    answer = client.get(f"/analyses/{row.id}/bundle.zip", query_string=asked)
    (place / "bundle.zip").write_bytes(answer.data)
    return answer


def test_report_and_manifest_are_signed(app, client, tmp_path, quick_reports, monkeypatch):
    # Otherwise the made-up result has no report that could be signed.
    monkeypatch.setattr(made_results, "REPORT_PDF", small_pdf({"scores.csv": b"x"}))
    row = finished(app, segments=1, peaks=1)
    key, password, certificate = make_key(tmp_path)
    use(app, signing_key=key, signing_password_file=password)
    assert read_bundle(client, row, tmp_path).status_code == 200
    results = verify(tmp_path / "bundle.zip", read_trust([certificate])).results
    assert results.signed == ["manifest.sig", "report.pdf"]
    assert not list(Folders.local(app.extensions["settings"].data).incoming.iterdir())


def test_an_authority_timestamps_report_and_manifest(app, client, tmp_path, quick_reports, monkeypatch):
    monkeypatch.setattr(made_results, "REPORT_PDF", small_pdf({"scores.csv": b"x"}))
    row = finished(app, segments=1, peaks=1)
    key, password, certificate = make_key(tmp_path)
    authority = TimeAuthority(tmp_path)
    try:
        use(app, signing_key=key, signing_password_file=password, timestamps=authority.url)
        assert read_bundle(client, row, tmp_path).status_code == 200
        authority.broken = True
        answer = client.get(f"/analyses/{row.id}/bundle.zip")
        assert answer.status_code == 500 and "gave no timestamp" in answer.text
    finally:
        authority.close()
    results = verify(tmp_path / "bundle.zip", read_trust([certificate, authority.issuer])).results
    assert {problem.file for problem in results.problems} <= {"report.html"}  # a stand-in
    assert {"timestamp of manifest.sig", "timestamp of report.pdf"} <= results.facts.keys()


def test_an_expired_key_is_explained(app, client, row, tmp_path, quick_reports):
    key, password, _ = make_key(tmp_path, days=(-9, -1))
    use(app, signing_key=key, signing_password_file=password)
    answer = read_bundle(client, row, tmp_path)
    assert answer.status_code == 500 and "expired on" in answer.text


def test_the_setting_is_checked_at_the_start(tmp_path):
    key, password, _ = make_key(tmp_path)
    given = {"REELPROOF_SIGNING_KEY": key, "REELPROOF_SIGNING_PASSWORD_FILE": password}
    signing.check_signing_key(read_settings(given))
    signing.check_signing_key(read_settings())
    with pytest.raises(SettingError, match="REELPROOF_SIGNING_KEY.*password is needed"):
        signing.check_signing_key(read_settings({"REELPROOF_SIGNING_KEY": key}))


@pytest.mark.parametrize("code", ["en", "de"])
def test_a_signed_bundle_verifies(client, row, tmp_path, code):
    """With reports rendered again after an annotation, and the longer custody log."""
    body = {"kind": "segment", "segment": "A1", "verdict": "agree", "author": "Ann", "note": "seams, 1.50"}
    assert client.post(f"/api/v1/analyses/{row.id}/annotations", json=body).status_code == 201
    assert client.get(f"/analyses/{row.id}/report.pdf?language={code}").status_code == 200
    assert read_bundle(client, row, tmp_path, language=code).status_code == 200
    done = verify(tmp_path / "bundle.zip")
    assert done.results.problems == [] and all("index.html" in note for note in done.results.notes)
    assert "custody log" in done.results.facts
