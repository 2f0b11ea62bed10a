"""Finished analyses by the REST API: findings, files, annotations, custody log."""

from __future__ import annotations

import io
import zipfile
from typing import get_args

import pytest
from analyses import build, with_stability
from api_requests import API, form, problem
from made_results import digest, finished, hand_in
from voices import two_channels, voice

from detector.schema.analysis import Analysis, MediaKind
from language.languages import LANGUAGES
from reports.custody.chain import check_export
from webapp.analyses.schemas import ReportSearch
from webapp.downloads import reports as report_downloads
from webapp.storage.data_folder import Folders


@pytest.fixture
def flagged(app):
    """The address of a finished analysis with two segments, and the stored bytes of its result."""
    row = finished(app, segments=2)
    stored = Folders.local(app.extensions["settings"].data).result(row.id) / "analysis.json"
    return f"{API}/analyses/{row.id}", stored.read_bytes()


def test_the_result_is_sent_as_stored_and_cached_by_its_hash(client, flagged):
    path, stored = flagged
    answer = client.get(f"{path}/analysis.json")
    assert answer.data == stored
    assert answer.headers["ETag"] == f'"{digest(stored)}"'
    again = client.get(f"{path}/analysis.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and not again.data


def test_a_failed_condition_is_a_problem_document_without_the_result(client, flagged):
    path, stored = flagged
    answer = client.get(f"{path}/analysis.json", headers={"If-Match": '"another"'})
    assert (answer.status_code, answer.mimetype) == (412, "application/problem+json")
    assert answer.json["status"] == 412
    same = client.get(f"{path}/analysis.json", headers={"If-Match": f'"{digest(stored)}"'})
    assert same.status_code == 200 and same.data == stored


def test_segments_match_the_result(client, flagged):
    path, stored = flagged
    segments = client.get(f"{path}/segments").json["segments"]
    assert [segment["id"] for segment in segments] == [
        segment.id for segment in Analysis.from_json(stored).segments
    ]


def test_segments_state_whether_they_are_flagged(app, client, tmp_path):
    """Like in exports: not where views disagree, nor for covered faces or faces without colour."""
    built = with_stability(build(tmp_path, persons=4, segments=4), A=1.0, B=0.4)
    persons = [finding.model_copy(update={"grey": float(finding.id == "C")}) for finding in built.persons]
    segments = [
        finding.model_copy(update={"covered": float(finding.person == "D")}) for finding in built.segments
    ]
    row = finished(app, {"persons": tuple(persons), "segments": tuple(segments)}, persons=4, segments=4)
    listing = client.get(f"{API}/analyses/{row.id}/segments").json["segments"]
    assert {segment["person"]: segment["flagged"] for segment in listing} == dict(
        A=True, B=False, C=False, D=False
    )
    exported = client.get(f"{API}/analyses/{row.id}/exports/json").json["segments"]
    words = {segment["id"]: segment["strength"] for segment in exported}
    assert all((words[segment["id"]] == "not flagged") is not segment["flagged"] for segment in listing)


def test_fields_of_segments_are_documented(client):
    schemas = client.get(f"{API}/openapi.json").json["components"]["schemas"]
    assert schemas["Segments"]["properties"]["segments"]["items"]["$ref"].endswith("/FoundSegment")
    schema = schemas["FoundSegment"]
    assert (
        "flagged" in schema["required"]
        and "a finding rests on it" in schema["properties"]["flagged"]["description"]
    )
    assert "flagged" not in schemas["Segment"]["properties"], "the stored analysis does not have it"


def test_segments_support_conditional_requests(client, flagged):
    path, _ = flagged
    tag = client.get(f"{path}/segments").headers["ETag"]
    assert client.head(f"{path}/segments").headers["ETag"] == tag
    assert client.head(f"{path}/segments", headers={"If-None-Match": tag}).status_code == 304


def test_pages_of_scores_lead_from_one_to_the_next(client, flagged):
    path, stored = flagged
    everything, address = [], f"{path}/scores?limit=100"
    while address:
        page = client.get(address).json
        everything += page["items"]
        address = page["next"]
    assert len(everything) == sum(len(person.scores) for person in Analysis.from_json(stored).persons)


def test_scores_of_one_person_between_two_times(client, flagged):
    path, _ = flagged
    some = client.get(f"{path}/scores?person=A&start=1&end=2").json["items"]
    assert some and all(score["person"] == "A" and 1 <= score["time"] <= 2 for score in some)


def test_segments_and_scores_of_the_voice(app, client):
    heard = voice(spans=((3.0, 8.5), (11.0, 14.0)))
    address = f"{API}/analyses/{finished(app, {'voice': heard}).id}/voice"
    segments = client.get(f"{address}/segments").json["segments"]
    assert [(entry["id"], entry["flagged"]) for entry in segments] == [("voice-1", True), ("voice-2", True)]
    page = client.get(f"{address}/scores?start=4&end=12&limit=10").json
    assert (page["window"], page["enter"], page["leave"]) == (4.0, 0.65, 0.5)
    rest = client.get(page["next"]).json
    assert rest["next"] is None
    assert [entry["time"] for entry in page["items"] + rest["items"]] == [4 + 0.5 * at for at in range(17)]
    whole = client.get(f"{address}/scores").json["items"]
    assert [entry["smoothed"] for entry in whole] == list(heard.scores.smoothed)


def test_scores_of_a_channel(app, client):
    heard = two_channels()
    address = f"{API}/analyses/{finished(app, {'voice': heard}).id}/voice"
    assert [entry["channels"] for entry in client.get(f"{address}/segments").json["segments"]] == [[2]]
    worst, second, first = (
        client.get(f"{address}/scores{query}").json for query in ("", "?channel=2", "?channel=1")
    )
    assert worst == second and (worst["channels"], first["channels"]) == ([2], [1])
    (other,) = heard.other_channels
    assert [entry["smoothed"] for entry in first["items"]] == list(other.scores.smoothed)
    assert "Channels with scores: 1, 2." in problem(client.get(f"{address}/scores?channel=3"), 404)["remedy"]


@pytest.mark.parametrize("path", ["segments", "scores"])
def test_sound_that_was_not_examined_has_no_empty_list_of_segments(app, client, path):
    details = problem(client.get(f"{API}/analyses/{finished(app).id}/voice/{path}"), 404)
    assert "not examined" in details["detail"]


@pytest.mark.parametrize(
    "path",
    ["analysis.json", "segments", "scores", "voice/segments", "report.pdf", "bundle.zip", "exports"],
)
def test_unfinished_analyses_have_no_results(app, client, path):
    problem(client.get(f"{API}/analyses/{hand_in(app).id}/{path}"), 409)


@pytest.mark.parametrize("path", ["analysis.json", "report.html", "manifest.json", "exports/csv"])
def test_cancelled_analyses_have_no_results(app, client, path):
    row = hand_in(app)
    client.post(f"{API}/analyses/{row.id}/cancel")
    details = problem(client.get(f"{API}/analyses/{row.id}/{path}"), 409)
    assert "cancelled" in details["detail"]


def test_annotations_are_recorded_listed_refused_and_imported(app, client, quick_reports):
    row = finished(app, segments=1)
    path = f"{API}/analyses/{row.id}/annotations"
    body = {"kind": "exhibit", "author": "Ada", "verdict": "agree", "note": "as I saw it"}
    made = client.post(path, json=body, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201 and made.json["annotation"]["note"] == body["note"]
    assert client.post(path, json=body, headers={"Idempotency-Key": "k"}).json == made.json
    assert client.get(path).json["annotations"] == [made.json["annotation"]]
    problem(client.post(path, json=body | {"id": "0" * 32}), 400)
    for tracks in ([False], ["0"], [0.5]):
        split = {"kind": "split", "author": "A", "person": "A", "tracks": tracks}
        assert "integer" in problem(client.post(path, json=split), 400)["detail"]
    problem(
        client.post(path, json={"kind": "segment", "author": "A", "segment": "Z9", "verdict": "agree"}), 400
    )
    bundle = client.get(f"{API}/analyses/{row.id}/bundle.zip?video=no")
    assert bundle.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as packed:
        saved = packed.read("annotations.json")
    answer = client.post(f"{path}/import", **form(saved, "annotations.json"))
    assert (answer.status_code, answer.json["new"], answer.json["known"]) == (200, 0, 1)
    problem(client.post(f"{path}/import", **form(b"{}", "x.json")), 400)


def test_reports_exports_and_manifest_have_their_media_types(app, client, quick_reports):
    path = f"{API}/analyses/{finished(app, segments=1).id}"
    assert client.get(f"{path}/report.pdf").data.startswith(b"%PDF")
    page = client.get(f"{path}/report.html")
    assert page.mimetype == "text/html" and "sandbox" in page.headers["Content-Security-Policy"]
    exports = client.get(f"{path}/exports").json["exports"]
    assert {export["name"] for export in exports} >= {"csv", "webvtt", "scores-parquet"}
    for export in exports:
        answer = client.get(export["href"])
        assert answer.status_code == 200 and answer.content_type.startswith(
            export["media_type"].partition(";")[0]
        )
    problem(client.get(f"{path}/exports/odd"), 404)
    assert client.get(f"{path}/manifest.json").is_json


def test_photos_have_exports_without_times(app, client):
    path = f"{API}/analyses/{finished(app, kind=MediaKind.IMAGE, segments=1, file='portrait.png').id}"
    exports = client.get(f"{path}/exports").json["exports"]
    tables = {"csv", "xlsx", "scores-csv", "scores-xlsx", "scores-parquet"}
    assert {export["name"] for export in exports} == tables | {"json", "overlays"}
    assert {client.get(export["href"]).status_code for export in exports} == {200}


def test_reports_and_bundles_in_a_language(app, client, quick_reports, monkeypatch):
    set_, asked_for = report_downloads._render, []

    def recorded(analysis, given, *rest):
        asked_for.append(given["language"])
        set_(analysis, given, *rest)

    monkeypatch.setattr(report_downloads, "_render", recorded)
    path = f"{API}/analyses/{finished(app, segments=1).id}"
    for asked, title in (("", "Reelproof review bundle"), ("&language=de", "Reelproof-Prüfpaket")):
        bundle = client.get(f"{path}/bundle.zip?video=no{asked}")
        with zipfile.ZipFile(io.BytesIO(bundle.data)) as packed:
            assert packed.read("README.txt").decode().startswith(f"{title}\n")
    assert client.get(f"{path}/report.pdf?language=es").status_code == 200
    assert client.get(f"{path}/report.html?language=es").status_code == 200
    assert asked_for == ["en", "de", "es"], "set once in each language"
    for name in ("report.pdf", "report.html", "bundle.zip"):
        problem(client.get(f"{path}/{name}?language=tlh"), 422)


def test_every_language_can_be_requested():
    assert get_args(ReportSearch.model_fields["language"].annotation) == tuple(LANGUAGES)


def test_api_requests_are_logged(app, client, quick_reports):
    row = finished(app, segments=1)
    path, sha256 = f"{API}/analyses/{row.id}", row.exhibit.sha256
    client.get(f"{path}/segments")
    client.get(f"{path}/report.pdf")
    client.get(f"{path}/exports/csv")
    client.post(f"{path}/annotations", json={"kind": "exhibit", "author": "Ada", "verdict": "agree"})
    client.post(f"{path}/again", json={})
    log = client.get(f"{API}/exhibits/{sha256}/custody.json")
    assert check_export(log.data) == []
    actions = [entry["action"] for entry in log.json["entries"]]
    assert actions[0] == "intake" and {"view", "annotation"} < set(actions) and actions.count("export") == 2
    everything, address = [], f"{API}/custody?limit=3"
    while address:
        page = client.get(address).json
        everything += page["items"]
        address = page["next"]
    assert [entry["number"] for entry in everything] == list(range(1, page["count"] + 1))
    assert everything[-1]["sha256"] == page["head"] and everything[-1]["action"] == "export"
    problem(client.get(f"{API}/exhibits/{'0' * 64}/custody.json"), 404)
