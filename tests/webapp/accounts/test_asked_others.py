"""Other models asked for at upload, by page and by REST: kept with the row and given to the worker."""

from __future__ import annotations

import io
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from webapp.jobs import claims, parameters
from webapp.storage.tables import AnalysisRow

OTHER = "efficientnet-lstm"


def row_of(app: Flask, address: str) -> AnalysisRow:
    with app.extensions["database"].begin() as session:
        return session.get_one(AnalysisRow, address.rstrip("/").rpartition("/")[2].partition("?")[0])


def photo() -> tuple[io.BytesIO, str]:
    return io.BytesIO(b"\xff\xd8\xff\xe0" + bytes(200)), "a.jpg"


def test_the_upload_form_asks_for_them(app: Flask, client: FlaskClient) -> None:
    assert f'name="also" value="{OTHER}"' in client.get("/").text
    fields = {"file": photo(), "also": [OTHER, "reelproof"], "joint": "any"}
    answer = client.post("/analyses", data=fields)
    row = row_of(app, answer.location)
    asked = parameters.read_other_models(row.changed_parameters)
    assert asked.names == (OTHER,) and asked.rule == "any"  # the default decides already
    assert parameters.describe_parameters(row.changed_parameters) == [("Other models", OTHER)]
    held = claims.claim_analysis(app.extensions["database"], row.id)
    assert held is not None and held.others == asked and held.parameters == parameters.read_parameters(None)


def test_the_api_asks_for_them(app: Flask, client: FlaskClient) -> None:
    fields = {"file": photo(), "also": json.dumps([OTHER]), "joint": "all"}
    answer = client.post("/api/v1/analyses", data=fields)
    assert answer.status_code == 202
    assert parameters.read_other_models(row_of(app, answer.location).changed_parameters).names == (OTHER,)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"also": ["nobody"]}, "no model of this name"),
        ({"also": [OTHER], "joint": "none"}, "no such rule"),
        ({"joint": "any"}, "only one model is named"),
        (
            {"also": ["reelproof"], "joint": "majority"},
            "only one model is named",
        ),  # the default decides already
        ({"also": [OTHER, OTHER], "model": OTHER, "joint": "all"}, "only one model is named"),
    ],
)
def test_what_cannot_be_asked_for(client: FlaskClient, fields: dict[str, object], words: str) -> None:
    answer = client.post("/analyses", data={"file": photo(), **fields})
    assert answer.status_code == 400 and words in answer.text


def test_the_api_refuses_a_rule_that_only_the_first_model_is_left_for(client: FlaskClient) -> None:
    fields = {"file": photo(), "also": json.dumps(["reelproof"]), "joint": "majority"}
    answer = client.post("/api/v1/analyses", data=fields)
    assert answer.status_code == 400 and "only one model is named" in answer.json["detail"]
    assert client.get("/api/v1/analyses").json["items"] == []


def test_without_any_a_row_is_as_before(app: Flask, client: FlaskClient) -> None:
    row = row_of(app, client.post("/analyses", data={"file": photo(), "joint": "first"}).location)
    assert row.changed_parameters is None and parameters.read_other_models(row.changed_parameters).names == ()
