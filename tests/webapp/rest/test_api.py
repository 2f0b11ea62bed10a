"""The REST API: its description and its errors."""

from __future__ import annotations

import json
import re

import pytest
from api_requests import API, problem
from sqlalchemy.exc import OperationalError

from detector.files import ROOT
from detector.schema.analysis import Analysis
from webapp.rest.openapi import document
from webapp.storage.tables import State


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


def test_pages_have_no_json_but_files_to_download(app):
    """Scripts use this API: what they read has one address, one schema and one set of rules."""
    rules = {rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/api/")}
    names = {rule.rpartition("/")[2] for rule in rules if rule.endswith(".json")}
    assert names == {"analysis.json", "manifest.json", "custody.json", "comparison.json"}
    for script in (ROOT / "static" / "js").rglob("*.js"):
        text = script.read_text()
        called = re.findall(r"(?:fetch|read|send|askState|upload|open)\((?:\"POST\", )?[`\"](/[^`\"]*)", text)
        assert all(address.endswith("/delete") for address in called), (script, called)  # a page


def test_the_description_is_openapi_31(client):
    description = client.get(f"{API}/openapi.json").json
    assert description["openapi"].startswith("3.1.") and description["webhooks"]
    names = [of["operationId"] for path in description["paths"].values() for of in path.values()]
    assert len(names) == len(set(names))
    for reference in _references(description):
        assert reference.rsplit("/", 1)[1] in description["components"]["schemas"], reference


def _references(value):
    if isinstance(value, dict):
        for name, child in value.items():
            if name == "$ref":
                yield child
            else:
                yield from _references(child)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child)


def test_an_analysis_has_the_engines_schema(client):
    description = document(login=False)
    shape = description["paths"][f"{API}/analyses/{{analysis_id}}/analysis.json"]["get"]["responses"]["200"]
    assert shape["content"]["application/json"]["schema"]["$ref"].endswith("/Analysis")
    own = set(Analysis.model_json_schema(mode="serialization")["properties"])
    assert set(description["components"]["schemas"]["Analysis"]["properties"]) == own


def test_renamed_classes_keep_the_names_that_were_published(client):
    """Generated clients have classes of these names; a name with its module was once there twice."""
    schemas = document(login=False)["components"]["schemas"]
    assert {name for name in schemas if "__" in name} == {
        "detector__schema__comparison__Gap",
        "detector__schema__metadata__Gap",
        "detector__schema__model__Model",
        "webapp__api__contract__schemas__Model",
    }
    assert {"Problem", "Scores"} <= set(schemas)
    new = {"AvailableModel", "Gap", "Model", "ProblemDetails", "ScorePage", "UnmatchedInterval"}
    assert not new & set(schemas)
    assert schemas["Problem"]["title"] == "Problem"


def test_the_page_needs_nothing_from_elsewhere(client):
    answer = client.get(f"{API}/docs")
    assert answer.status_code == 200
    assert answer.text.count("<script") == len(re.findall(r'<script type="module" src="/', answer.text))
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
    details = problem(client.open(API + path, method=method, headers={"Accept": "text/html"}), status)
    assert details["remedy"]


def test_a_refused_method_names_the_allowed_ones(client):
    details = problem(client.put(API + "/analyses"), 405)
    assert details["remedy"] == "Use one of these methods: GET, HEAD, OPTIONS, POST."


def test_a_bug_is_a_problem_without_a_traceback(app, client, monkeypatch, caplog):
    app.testing = False
    monkeypatch.setattr("webapp.analyses.api.library_search.matching_analyses", lambda *_: 1 / 0)
    details = problem(client.get(f"{API}/analyses"), 500)
    assert "ZeroDivision" not in json.dumps(details) and "ZeroDivisionError" in caplog.text


def test_an_unreachable_database_is_a_problem_with_retry_after(client, monkeypatch):
    def gone(*_: object) -> None:
        raise OperationalError("", {}, Exception("no server"))

    monkeypatch.setattr("webapp.analyses.api.library_search.matching_analyses", gone)
    answer = client.get(f"{API}/analyses")
    assert "database" in problem(answer, 503)["detail"] and answer.headers["Retry-After"] == "10"


def test_every_operation_documents_its_errors():
    for path in document(login=True)["paths"].values():
        for of in path.values():
            assert {"500", "503"} <= of["responses"].keys(), of["operationId"]
            assert of["responses"]["503"]["headers"]["Retry-After"]["required"] is False


def test_other_web_sites_and_host_names_are_refused(client):
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        problem(client.post(f"{API}/analyses", headers=headers), 403)
    problem(client.get(f"{API}/analyses", headers={"Host": "evil.example"}), 400)


def test_me_and_health(client):
    assert client.get(f"{API}/health").json["status"] == "ok"
    assert client.get(f"{API}/me").json["name"] == "local user"


def test_states_are_those_of_the_rows():
    assert set(document(login=False)["components"]["schemas"]["State"]["enum"]) == set(State)
