"""Analyses by the REST API: created, listed, cancelled, paused, repeated, deleted."""

from __future__ import annotations

import io
import json

import pytest
from api_requests import API, form, problem
from failure_words import texts_of
from made_results import digest, finished, hand_in

from detector.schema.analysis import Analysis, MediaKind
from detector.schema.causes.failures import FailureCode
from detector.schema.measurements import Answers, ManipulationKind
from detector.schema.summary import EMPTY_SUMMARY, Summary, summarise
from webapp.analyses.schemas import AnalysisStatus
from webapp.casework import details as case_details
from webapp.jobs import claims
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow


def test_the_status_of_a_finished_analysis_matches_its_result(app, client):
    answers = Answers(altered=0.2, synthesised=0.9)
    row = finished(app, {"answers": answers, "kind": ManipulationKind.GENERATED}, kind=MediaKind.IMAGE)
    document = client.get(f"{API}/analyses/{row.id}").json
    status = AnalysisStatus.model_validate(document)
    result = Analysis.model_validate(client.get(f"{API}/analyses/{row.id}/analysis.json").json)
    assert (status.kind, status.answers) == (result.kind, result.answers) != (None, None)
    assert (status.verdict, status.probability) == (result.verdict, result.probability)
    assert {name: document[name] for name in EMPTY_SUMMARY} == summarise(result)
    assert (status.ahead, status.error) == (None, None)


def test_the_status_has_every_field_of_a_summary():
    """Otherwise every request for the status of a finished analysis fails with 500."""
    assert EMPTY_SUMMARY.keys() == Summary.__annotations__.keys() <= AnalysisStatus.model_fields.keys()


def test_a_stored_summary_without_newer_fields(app, client):
    """Rows keep the summary from the end of the analysis."""
    row = finished(app, {})
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).summary = json.dumps({"kind": "generated face"})
    (item,) = client.get(f"{API}/analyses").json["items"]  # one alone is compared with the custody log
    assert {name: item[name] for name in EMPTY_SUMMARY} == EMPTY_SUMMARY | {
        "kind": "generated face",
        "outcome": "finding",
    }


def test_an_upload_brings_case_details_and_is_told_of_earlier_ones(app, client):
    details = '{"case_number": "ST/1", "examiner": "Ann", "paper": "Letter"}'
    first = client.post(f"{API}/analyses", **form(b"same", "a.mp4")).json
    again = client.post(f"{API}/analyses", **form(b"same", "b.mp4", details=details)).json
    assert "earlier" not in first
    assert again["earlier"] == {"count": 1, "first": first["created"]}
    with app.extensions["database"].begin() as session:
        kept = case_details.read_details(session, again["id"])
    assert (kept.case_number, kept.examiner, kept.paper) == ("ST/1", "Ann", "Letter")
    for wrong, words in (
        ('{"paper": "A9"}', "paper size"),
        ('{"examiner": "a\\nb"}', "one line"),
        ('{"colour": "red"}', "colour"),
    ):
        refused = client.post(f"{API}/analyses", **form(b"same", "c.mp4", details=wrong))
        assert refused.status_code in (400, 422) and words in refused.text, refused.text


def test_upload(app, client, sent):
    answer = client.post(f"{API}/analyses", **form(b"content", "../a/clip.mp4", parameters='{"seed": 7}'))
    assert answer.status_code == 202
    analysis = answer.json
    assert answer.headers["Location"] == f"{API}/analyses/{analysis['id']}"
    assert (analysis["state"], analysis["file"], analysis["sha256"]) == (
        "queued",
        "clip.mp4",
        digest(b"content"),
    )
    assert analysis["settings"] == {"seed": 7} and sent == [analysis["id"]]
    assert client.get(answer.headers["Location"]).json == analysis


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
def test_invalid_fields_are_named(app, client, sent, fields, status, where):
    details = problem(client.post(f"{API}/analyses", **form(**fields)), status)
    if where:
        assert [error["where"] for error in details["errors"]] == [where]
    assert sent == [] and not list(Folders.local(app.extensions["settings"].data).incoming.iterdir())


def test_missing_and_empty_files_are_refused(client):
    empty = {"data": {}, "content_type": "multipart/form-data; boundary=x"}
    problem(client.post(f"{API}/analyses", **empty), 422)
    problem(client.post(f"{API}/analyses", **form(b"")), 400)
    wrong = {"data": {"clip": (io.BytesIO(b"x"), "x")}, "content_type": "multipart/form-data"}
    assert problem(client.post(f"{API}/analyses", **wrong), 422)["errors"][0]["where"] == "form.clip"


def test_listing_pages_by_cursor(app, client):
    ids = [hand_in(app, bytes([n]), f"clip {n}.mp4").id for n in range(5)][::-1]
    page = client.get(f"{API}/analyses?limit=2")
    assert [item["id"] for item in page.json["items"]] == ids[:2]
    newest = hand_in(app, b"new").id  # shifts nothing
    assert page.headers["Link"] == f'<{page.json["next"]}>; rel="next"'
    second = client.get(page.json["next"]).json
    third = client.get(second["next"]).json
    assert [item["id"] for item in second["items"] + third["items"]] == ids[2:] and third["next"] is None
    assert client.get(f"{API}/analyses").json["items"][0]["id"] == newest


def test_listing_filters_as_the_library_does(app, client):
    done, failed = finished(app, segments=1), hand_in(app, b"f", "Straße.mp4")
    database = app.extensions["database"]
    claims.fail_job(database, claims.claim_analysis(database, failed.id), FailureCode.CRASHED.cause())

    def found(query: str) -> list[str]:
        return [item["id"] for item in client.get(f"{API}/analyses?{query}").json["items"]]

    assert found("state=failed") == [failed.id] == found("q=straße") == found("q=STRAßE")
    assert found("verdict=manipulated") == [done.id] == found(f"q={done.exhibit.sha256[:12]}")
    assert found("to=2001-01-01") == [] and len(found("from=2001-01-01")) == 2
    analysis = client.get(f"{API}/analyses/{failed.id}").json
    assert (analysis["error"], analysis["remedy"]) == texts_of(FailureCode.CRASHED.cause())


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


def test_crossed_thresholds_are_refused(client):
    """Otherwise only the higher threshold counts while the report names the lower."""
    given = {"enter_threshold": 0.4}
    answer = problem(client.post(f"{API}/analyses", **form(b"x", parameters=json.dumps(given))), 422)
    (wrong,) = answer["errors"]
    assert wrong["where"] == "form.parameters.exit_threshold" and "enter_threshold, 0.4" in wrong["problem"]
    assert client.post(f"{API}/analyses", **form(b"x")).status_code == 202
    place = f"{API}/exhibits/{digest(b'x')}/analyses"
    (wrong,) = problem(client.post(place, json={"parameters": given}), 422)["errors"]
    assert wrong["where"] == "body.parameters.exit_threshold"
    (wrong,) = problem(client.post(place, json={"parameters": {"maximum_sharpness": 0}}), 422)["errors"]
    assert wrong["where"] == "body.parameters.minimum_sharpness"
    both = given | {"exit_threshold": 0.4}
    assert client.post(place, json={"parameters": both}).status_code == 202


def test_custom_validation_messages_are_sentences(client):
    (wrong,) = problem(client.get(f"{API}/analyses?from=yesterday"), 422)["errors"]
    assert wrong == {"where": "query.from", "problem": "A day is written as 2026-11-20."}


def test_unknown_fields_are_refused(client, sent):
    """A rule for several models without others, and a repeated field."""
    rule = problem(client.post(f"{API}/analyses", **form(b"x", joint="majority")), 422)
    assert [error["where"] for error in rule["errors"]] == ["form.joint"]
    assert client.post(f"{API}/analyses", **form(b"x", joint="first")).status_code == 202
    again = client.post(f"{API}/exhibits/{digest(b'x')}/analyses", json={"joint": "all", "also": []})
    assert [error["where"] for error in problem(again, 422)["errors"]] == ["body.joint"]
    doubled = form(b"x")
    doubled["data"]["priority"] = ["low", "high"]
    details = problem(client.post(f"{API}/analyses", **doubled), 422)
    assert details["errors"] == [{"where": "form.priority", "problem": "It is given more than once."}]
    assert len(sent) == 1


def test_a_paused_analysis_can_be_deleted(client):
    path = client.post(f"{API}/analyses", **form(b"x")).headers["Location"]
    problem(client.delete(path), 409)
    assert client.post(f"{path}/pause").status_code == 200
    assert client.delete(path).status_code == 204 and client.get(path).status_code == 410


def test_pause_resume_and_priority(app, client, sent):
    path = client.post(f"{API}/analyses", **form(b"x", priority="low")).headers["Location"]
    assert client.get(path).json["priority"] == "low"
    high = client.post(f"{path}/priority", json={"priority": "high"})
    assert (high.status_code, high.json["priority"]) == (200, "high")
    problem(client.post(f"{path}/priority", json={"priority": "most"}), 422)
    problem(client.post(f"{path}/priority", json={}), 422)
    assert client.post(f"{path}/pause").json["state"] == "paused"
    assert client.post(f"{path}/pause").status_code == 200
    assert [item["id"] for item in client.get(f"{API}/analyses?state=paused").json["items"]] == sent
    problem(client.post(f"{path}/retry"), 409)
    problem(client.get(f"{path}/segments"), 409)
    resumed = client.post(f"{path}/resume")
    assert (resumed.status_code, resumed.json["state"], sent) == (202, "queued", sent[:1] * 2)
    claims.claim_analysis(app.extensions["database"], sent[0])
    problem(client.post(f"{path}/priority", json={"priority": "low"}), 409)
    assert client.post(f"{path}/again", json={"priority": "high"}).json["priority"] == "high"
    again = client.post(f"{API}/exhibits/{digest(b'x')}/analyses", json={"priority": "low"})
    assert again.json["priority"] == "low"
    client.post(f"{path}/cancel")
    problem(client.post(f"{path}/pause"), 409)
    problem(client.post(f"{path}/resume"), 409)


def test_models_and_exhibits(app, client):
    models = client.get(f"{API}/models").json["models"]
    assert sum(model["default"] for model in models) == 1 and all(
        model["card"]["figures"] for model in models
    )
    row = finished(app)
    sha256 = row.exhibit.sha256
    assert client.get(f"{API}/exhibits").json["items"] == [client.get(f"{API}/exhibits/{sha256}").json]
    new = client.post(f"{API}/exhibits/{sha256}/analyses", json={"model": models[0]["name"]})
    assert new.status_code == 202
    assert client.get(f"{API}/exhibits/{sha256}").json["analyses"] == [new.json["id"], row.id]
    problem(client.get(f"{API}/exhibits/{'0' * 64}"), 404)


def test_a_form_can_name_the_case(app, client):
    case = client.post("/cases", data={"name": "K-1"})
    case_id = int(case.location.rstrip("/").rsplit("/", 1)[1])
    assert client.post(f"{API}/analyses", **form(case=str(case_id))).json["case"] == case_id
    problem(client.post(f"{API}/analyses", **form(case=str(case_id + 1))), 400)
