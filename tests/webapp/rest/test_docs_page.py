"""The page of the API holds what the OpenAPI document holds."""

from __future__ import annotations

from webapp.rest import openapi
from webapp.rest.about import Limit, docs_page


def test_every_operation_and_schema_of_the_document_is_on_the_page(client):
    document = openapi.document(login=False)
    page = docs_page(document)
    shown = {(each.method.lower(), each.path) for area in page.areas for each in area.operations}
    assert shown == {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert {each.name for each in page.schemas} == set(document["components"]["schemas"])
    text = client.get("/api/v1/docs").text
    for area in page.areas:
        for each in area.operations:
            assert f'<section class="card operation" id="{each.name}">' in text


def test_what_an_operation_takes_and_gives():
    field = {"type": "integer", "minimum": 0, "default": None}
    body = {"properties": {"note": {"type": "string", "default": "", "description": "Said."}}, "required": []}
    made = {"application/json": {"schema": {"$ref": "#/components/schemas/Made"}}}
    operation = {
        "operationId": "make",
        "tags": ["things"],
        "summary": "Make one",
        "security": [{}, {"token": ["analyse"]}],
        "parameters": [{"name": "count", "in": "query", "required": True, "schema": field}],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {
            "201": {"description": "Made.", "content": made, "headers": {"Location": {}}},
            "400": {"description": "Refused.", "content": made, "headers": {"Retry-After": {}}},
        },
    }
    page = docs_page(
        {
            "openapi": "3.1.0",
            "info": {"description": "About."},
            "tags": [{"name": "things", "description": "Them."}, {"name": "none", "description": ""}],
            "paths": {"/things": {"post": operation}},
            "components": {"schemas": {"Made": {"type": "object"}, "also": {"type": "string"}}},
        }
    )
    (things, none), (one,) = page.areas, page.areas[0].operations
    assert (things.name, none.operations, one.method, one.scope) == ("things", (), "POST", "analyse")
    (count,), (taken,) = one.fields, one.bodies
    assert (count.name, count.place, count.required) == ("count", "query", True)
    assert count.limits == (Limit("at least", 0),)  # a default of null says nothing
    (note,) = taken.fields
    assert (note.name, note.place, note.required, note.description) == ("note", "", False, "Said.")
    assert note.limits == ()  # nor does an empty one
    answered, refused = one.responses
    assert [each.media for each in answered.contents] == ["application/json"]
    assert answered.headers == ("Location",)
    assert (refused.contents, refused.headers) == ((), ())
    assert [each.name for each in page.schemas] == ["also", "Made"]
