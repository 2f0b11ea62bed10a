"""The REST API: its description, its errors, and what each operation does."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import get_args

import pytest
from made import digest, finished, hand_in

from detector.paths import ROOT
from detector.schema.analysis import Analysis, MediaKind
from detector.schema.second_look import Answers, ManipulationKind
from detector.schema.summary import summary_of
from reports.custody.chain import check_export
from reports.text.languages import LANGUAGES
from webapp.api.contract.openapi import document
from webapp.api.contract.schemas.analyses import AnalysisStatus
from webapp.api.contract.schemas.downloads import ReportSearch
from webapp.downloads import reports as report_downloads
from webapp.jobs import claims, failures
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, State

API = "/api/v1"


def problem(answer, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    told = answer.json
    assert told["status"] == status and told["title"] and told["detail"]
    return told


def form(content: bytes = b"bytes", name: str = "clip.mp4", **fields: str) -> dict:
    return {"data": {"file": (io.BytesIO(content), name), **fields}, "content_type": "multipart/form-data"}


def test_every_route_is_described_and_documented(app):
    described = document(login=False)["paths"]
    text = (ROOT / "docs" / "api.md").read_text()
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")]
    assert len(rules) > 25
    for rule in rules:
        address = rule.rule.replace("<", "{").replace(">", "}")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert method.lower() in described[address]
            assert f"`{method} {address}`" in text, f"{method} {address} is not in docs/api.md"


def test_the_description_is_openapi_31(client):
    told = client.get(f"{API}/openapi.json").json
    assert told["openapi"].startswith("3.1.") and told["webhooks"]
    names = [of["operationId"] for path in told["paths"].values() for of in path.values()]
    assert len(names) == len(set(names))
    for reference in _references(told):
        assert reference.rsplit("/", 1)[1] in told["components"]["schemas"], reference


def _references(value):
    if isinstance(value, dict):
        for name, each in value.items():
            if name == "$ref":
                yield each
            else:
                yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def test_an_analysis_has_the_engines_schema(client):
    told = document(login=False)
    shape = told["paths"][f"{API}/analyses/{{analysis_id}}/analysis.json"]["get"]["responses"]["200"]
    assert shape["content"]["application/json"]["schema"]["$ref"].endswith("/Analysis")
    own = set(Analysis.model_json_schema(mode="serialization")["properties"])
    assert set(told["components"]["schemas"]["Analysis"]["properties"]) == own


def test_the_page_needs_nothing_from_elsewhere(client):
    answer = client.get(f"{API}/docs")
    assert answer.status_code == 200 and "<script" not in answer.text
    assert all(link.startswith(("/", "#")) for link in re.findall(r'(?:href|src)="([^"]*)"', answer.text))
    for name in ("analyses_create", "uploads_append", "webhooks_create"):
        assert f'id="{name}"' in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/analyses/" + "0" * 32, 404),
        ("PUT", "/analyses", 405),
        ("POST", "/analyses", 415),
        ("GET", "/analyses?limit=0", 422),
        ("GET", "/analyses?odd=1", 422),
        ("GET", "/analyses?to=0", 422),
        ("GET", "/analyses?from=20260101", 422),
        ("GET", "/analyses?limit=1&limit=2", 422),
        ("GET", "/analyses?cursor=bm9uZQ", 422),
    ],
)
def test_errors_are_problems(client, method, path, status):
    told = problem(client.open(API + path, method=method, headers={"Accept": "text/html"}), status)
    assert told["remedy"]


def test_a_bug_is_a_problem_without_a_traceback(app, client, monkeypatch, caplog):
    app.testing = False
    monkeypatch.setattr("webapp.api.analyses.library_search.fitting", lambda *_: 1 / 0)
    told = problem(client.get(f"{API}/analyses"), 500)
    assert "ZeroDivision" not in json.dumps(told) and "ZeroDivisionError" in caplog.text


def test_other_web_sites_and_host_names_are_refused(client):
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        problem(client.post(f"{API}/analyses", headers=headers), 403)
    problem(client.get(f"{API}/analyses", headers={"Host": "evil.example"}), 400)


def test_the_status_of_a_finished_analysis_says_what_its_result_says(app, client):
    answers = Answers(altered=0.2, synthesised=0.9)
    row = finished(app, {"answers": answers, "kind": ManipulationKind.GENERATED}, kind=MediaKind.IMAGE)
    told = client.get(f"{API}/analyses/{row.id}").json
    status = AnalysisStatus.model_validate(told)
    result = Analysis.model_validate(client.get(f"{API}/analyses/{row.id}/analysis.json").json)
    assert (status.kind, status.answers) == (result.kind, result.answers) != (None, None)
    assert (status.verdict, status.probability) == (result.verdict, result.probability)
    assert {name: told[name] for name in ("kind", "answers", "declarations")} == summary_of(result)
    assert (status.ahead, status.error) == (None, None)


def test_hand_in(app, client, sent):
    answer = client.post(f"{API}/analyses", **form(b"content", "../a/clip.mp4", parameters='{"seed": 7}'))
    assert answer.status_code == 202
    told = answer.json
    assert answer.headers["Location"] == f"{API}/analyses/{told['id']}"
    assert (told["state"], told["file"], told["sha256"]) == ("queued", "clip.mp4", digest(b"content"))
    assert told["settings"] == {"seed": 7} and sent == [told["id"]]
    assert client.get(answer.headers["Location"]).json == told


@pytest.mark.parametrize(
    ("fields", "status", "where"),
    [
        ({"model": "nothing"}, 400, None),
        ({"parameters": "{"}, 422, "form.parameters"),
        ({"parameters": '{"sample_rate": 0}'}, 422, "form.parameters.sample_rate"),
        ({"parameters": '{"odd": 0}'}, 422, "form.parameters.odd"),
        ({"parameters": '{"second_look": true}'}, 422, "form.parameters.second_look"),
        ({"parameters": '{"sample_rate": "4"}'}, 422, "form.parameters.sample_rate"),
        ({"odd": "1"}, 422, "form.odd"),
    ],
)
def test_hand_in_refuses_by_name(app, client, sent, fields, status, where):
    told = problem(client.post(f"{API}/analyses", **form(**fields)), status)
    if where:
        assert [each["where"] for each in told["errors"]] == [where]
    assert sent == [] and not list(Folders(app.extensions["settings"].data).incoming.iterdir())


def test_hand_in_without_a_file_or_with_an_empty_one(client):
    empty = {"data": {}, "content_type": "multipart/form-data; boundary=x"}
    problem(client.post(f"{API}/analyses", **empty), 422)
    problem(client.post(f"{API}/analyses", **form(b"")), 400)
    wrong = {"data": {"clip": (io.BytesIO(b"x"), "x")}, "content_type": "multipart/form-data"}
    assert problem(client.post(f"{API}/analyses", **wrong), 422)["errors"][0]["where"] == "form.clip"


def test_the_same_key_gives_the_same_answer(client, sent):
    headers = {"Idempotency-Key": "one"}
    first = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    second = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    assert (second.status_code, second.json, len(sent)) == (202, first.json, 1)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    problem(client.post(f"{API}/analyses", **form(b"b"), headers=headers), 422)
    problem(client.post(f"{API}/analyses", **form(b"a"), headers={"Idempotency-Key": "ä"}), 400)
    other = client.post(f"{API}/analyses", **form(b"a"), headers={"Idempotency-Key": "two"})
    assert other.json["id"] != first.json["id"]


def test_a_failed_request_may_be_sent_again_under_its_key(client):
    headers = {"Idempotency-Key": "one"}
    problem(client.post(f"{API}/analyses", **form(model="nothing"), headers=headers), 400)
    problem(client.post(f"{API}/analyses", **form(model="nothing"), headers=headers), 400)
    assert client.post(f"{API}/analyses", **form(), headers=headers).status_code == 202


def test_a_request_cut_off_by_a_crash_makes_no_second_analysis(app, client, sent):
    from sqlalchemy import select, update

    from webapp.storage.tables import KeyedRequest, now

    database, headers = app.extensions["database"], {"Idempotency-Key": "one"}
    first = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    with database.begin() as session:  # as if the process had died before the answer was kept
        session.execute(update(KeyedRequest).values(status=None, body=None))
    problem(client.post(f"{API}/analyses", **form(b"a"), headers=headers), 409)
    app.extensions["started"] = now()  # it was started anew
    second = client.post(f"{API}/analyses", **form(b"a"), headers=headers)
    assert second.json["id"] == first.json["id"]
    with database.begin() as session:
        assert len(session.scalars(select(AnalysisRow.id)).all()) == 1


def test_listing_pages_by_cursor(app, client):
    ids = [hand_in(app, bytes([n]), f"clip {n}.mp4").id for n in range(5)][::-1]
    page = client.get(f"{API}/analyses?limit=2")
    assert [each["id"] for each in page.json["items"]] == ids[:2]
    newest = hand_in(app, b"new").id  # shifts nothing
    assert page.headers["Link"] == f'<{page.json["next"]}>; rel="next"'
    second = client.get(page.json["next"]).json
    third = client.get(second["next"]).json
    assert [each["id"] for each in second["items"] + third["items"]] == ids[2:] and third["next"] is None
    assert client.get(f"{API}/analyses").json["items"][0]["id"] == newest


def test_listing_filters_as_the_library_does(app, client):
    done, failed = finished(app, segments=1), hand_in(app, b"f", "Straße.mp4")
    database = app.extensions["database"]
    claims.fail(database, claims.claim(database, failed.id), failures.CRASHED)

    def found(query: str) -> list[str]:
        return [each["id"] for each in client.get(f"{API}/analyses?{query}").json["items"]]

    assert found("state=failed") == [failed.id] == found("q=straße") == found("q=STRAßE")
    assert found("verdict=manipulated") == [done.id] == found(f"q={done.exhibit.sha256[:12]}")
    assert found("to=2001-01-01") == [] and len(found("from=2001-01-01")) == 2
    told = client.get(f"{API}/analyses/{failed.id}").json
    assert (told["error"], told["remedy"]) == failures.CRASHED


def test_cancel_retry_again_delete(app, client, sent):
    row = hand_in(app, b"x")
    path = f"{API}/analyses/{row.id}"
    problem(client.delete(path), 409)
    assert client.post(f"{path}/cancel").json["state"] == "cancelled"
    assert client.post(f"{path}/cancel").status_code == 200
    retried = client.post(f"{path}/retry")
    assert (retried.status_code, retried.json["state"], sent) == (202, "queued", [row.id])
    new = client.post(f"{path}/again", json={"parameters": {"seed": 3}})
    assert new.status_code == 202 and new.json["settings"] == {"seed": 3}
    problem(client.post(f"{path}/again", json={"parameters": {"seed": "3"}}), 422)
    problem(client.post(f"{path}/again", data="{}"), 415)
    problem(client.post(f"{path}/again", data="{", content_type="application/json"), 400)
    client.post(f"{path}/cancel")
    gone = client.delete(path)
    assert gone.status_code == 204 and not gone.data
    problem(client.get(path), 410)


def test_pause_resume_and_priority(app, client, sent):
    path = client.post(f"{API}/analyses", **form(b"x", priority="low")).headers["Location"]
    assert client.get(path).json["priority"] == "low"
    high = client.post(f"{path}/priority", json={"priority": "high"})
    assert (high.status_code, high.json["priority"]) == (200, "high")
    problem(client.post(f"{path}/priority", json={"priority": "most"}), 422)
    problem(client.post(f"{path}/priority", json={}), 422)
    assert client.post(f"{path}/pause").json["state"] == "paused"
    assert client.post(f"{path}/pause").status_code == 200
    assert [each["id"] for each in client.get(f"{API}/analyses?state=paused").json["items"]] == sent
    problem(client.post(f"{path}/retry"), 409)
    problem(client.get(f"{path}/segments"), 409)
    resumed = client.post(f"{path}/resume")
    assert (resumed.status_code, resumed.json["state"], sent) == (202, "queued", sent[:1] * 2)
    claims.claim(app.extensions["database"], sent[0])
    problem(client.post(f"{path}/priority", json={"priority": "low"}), 409)
    assert client.post(f"{path}/again", json={"priority": "high"}).json["priority"] == "high"
    again = client.post(f"{API}/exhibits/{digest(b'x')}/analyses", json={"priority": "low"})
    assert again.json["priority"] == "low"
    client.post(f"{path}/cancel")
    problem(client.post(f"{path}/pause"), 409)
    problem(client.post(f"{path}/resume"), 409)


def test_findings(app, client):
    row = finished(app, segments=2)
    path = f"{API}/analyses/{row.id}"
    stored = Folders(app.extensions["settings"].data).result(row.id) / "analysis.json"
    answer = client.get(f"{path}/analysis.json")
    assert answer.data == stored.read_bytes()
    assert answer.headers["ETag"] == f'"{digest(stored.read_bytes())}"'
    again = client.get(f"{path}/analysis.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and not again.data
    analysis = Analysis.from_json(stored.read_bytes())
    segments = client.get(f"{path}/segments").json["segments"]
    assert [each["id"] for each in segments] == [each.id for each in analysis.segments]
    everything, address = [], f"{path}/scores?limit=100"
    while address:
        page = client.get(address).json
        everything += page["items"]
        address = page["next"]
    assert len(everything) == sum(len(person.scores) for person in analysis.persons)
    some = client.get(f"{path}/scores?person=A&start=1&end=2").json["items"]
    assert some and all(each["person"] == "A" and 1 <= each["time"] <= 2 for each in some)


@pytest.mark.parametrize(
    "path", ["analysis.json", "segments", "scores", "report.pdf", "bundle.zip", "exports"]
)
def test_nothing_is_handed_out_of_an_unfinished_analysis(app, client, path):
    problem(client.get(f"{API}/analyses/{hand_in(app).id}/{path}"), 409)


@pytest.mark.parametrize("path", ["analysis.json", "report.html", "manifest.json", "exports/csv"])
def test_nor_of_one_that_was_cancelled(app, client, path):
    row = hand_in(app)
    client.post(f"{API}/analyses/{row.id}/cancel")
    told = problem(client.get(f"{API}/analyses/{row.id}/{path}"), 409)
    assert "cancelled" in told["detail"]


def test_annotations(app, client, quick_reports):
    row = finished(app, segments=1)
    path = f"{API}/analyses/{row.id}/annotations"
    said = {"kind": "exhibit", "author": "Ada", "verdict": "agree", "note": "as I saw it"}
    made = client.post(path, json=said, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201 and made.json["annotation"]["note"] == said["note"]
    assert client.post(path, json=said, headers={"Idempotency-Key": "k"}).json == made.json
    assert client.get(path).json["annotations"] == [made.json["annotation"]]
    problem(client.post(path, json=said | {"id": "0" * 32}), 400)
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
    told = client.post(f"{path}/import", **form(saved, "annotations.json"))
    assert (told.status_code, told.json["new"], told.json["known"]) == (200, 0, 1)
    problem(client.post(f"{path}/import", **form(b"{}", "x.json")), 400)


def test_files(app, client, quick_reports):
    path = f"{API}/analyses/{finished(app, segments=1).id}"
    assert client.get(f"{path}/report.pdf").data.startswith(b"%PDF")
    page = client.get(f"{path}/report.html")
    assert page.mimetype == "text/html" and "sandbox" in page.headers["Content-Security-Policy"]
    exports = client.get(f"{path}/exports").json["exports"]
    assert {each["name"] for each in exports} >= {"csv", "webvtt", "scores-parquet"}
    for each in exports:
        answer = client.get(each["href"])
        assert answer.status_code == 200 and answer.content_type.startswith(
            each["media_type"].partition(";")[0]
        )
    problem(client.get(f"{path}/exports/odd"), 404)
    assert client.get(f"{path}/manifest.json").is_json


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


def test_every_language_can_be_asked_for():
    assert get_args(ReportSearch.model_fields["language"].annotation) == tuple(LANGUAGES)


def test_models_and_exhibits(app, client):
    models = client.get(f"{API}/models").json["models"]
    assert sum(each["default"] for each in models) == 1 and all(each["card"]["figures"] for each in models)
    row = finished(app)
    sha256 = row.exhibit.sha256
    assert client.get(f"{API}/exhibits").json["items"] == [client.get(f"{API}/exhibits/{sha256}").json]
    new = client.post(f"{API}/exhibits/{sha256}/analyses", json={"model": models[0]["name"]})
    assert new.status_code == 202
    assert client.get(f"{API}/exhibits/{sha256}").json["analyses"] == [new.json["id"], row.id]
    problem(client.get(f"{API}/exhibits/{'0' * 64}"), 404)


def test_what_the_api_does_is_in_the_custody_log(app, client, quick_reports):
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


def test_a_form_may_say_the_case(app, client):
    case = client.post("/cases", data={"name": "K-1"})
    case_id = int(case.location.rstrip("/").rsplit("/", 1)[1])
    assert client.post(f"{API}/analyses", **form(case=str(case_id))).json["case"] == case_id
    problem(client.post(f"{API}/analyses", **form(case=str(case_id + 1))), 400)


def test_me_and_health(client):
    assert client.get(f"{API}/health").json["status"] == "ok"
    assert client.get(f"{API}/me").json["name"] == "local user"


def test_states_are_those_of_the_rows():
    assert set(document(login=False)["components"]["schemas"]["State"]["enum"]) == set(State)
