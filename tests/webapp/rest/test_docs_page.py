"""The page of the API shows the content of the OpenAPI document."""

from __future__ import annotations

from flask import render_template

from webapp.rest import openapi
from webapp.rest.about import _LIMITS


def test_every_operation_and_schema_of_the_document_is_on_the_page(client):
    document = openapi.document(login=False)
    text = client.get("/api/v1/docs").text
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f'<section class="card operation" id="{operation["operationId"]}">' in text
            assert f"<code>{method.upper()}</code> <code>{path}</code>" in text
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in text


def test_parameters_bodies_and_responses_are_shown(app):
    count = {"type": "integer", "minimum": 0, "default": None}
    note = {"type": "string", "default": "", "description": "Free text."}
    body = {"properties": {"note": note}, "required": []}
    created = {"application/json": {"schema": {"$ref": "#/components/schemas/Created"}}}
    operation = {
        "operationId": "create",
        "tags": ["things"],
        "summary": "Create one",
        "security": [{}, {"token": ["analyse"]}],
        "parameters": [{"name": "count", "in": "query", "required": True, "schema": count}],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {
            "201": {"description": "Created.", "content": created, "headers": {"Location": {}}},
            "400": {"description": "Refused.", "content": created, "headers": {"Retry-After": {}}},
        },
    }
    page = {
        "openapi": "3.1.0",
        "info": {"description": "About."},
        "tags": [{"name": "things", "description": "Things."}, {"name": "none", "description": ""}],
        "paths": {"/things": {"post": operation}},
        "components": {"schemas": {"Created": {"type": "object"}, "also": {"type": "string"}}},
    }
    with app.test_request_context("/api/v1/docs"):
        text = render_template("rest/api.html", page=page, limit_words=_LIMITS)
    text = " ".join(text[text.index("<h1>") :].split())
    assert "<code>POST</code> <code>/things</code>" in text and "Scope: <code>analyse</code>" in text
    assert "<code>count</code> <small>query</small> <small>required</small>" in text
    assert '<span class="limit">at least 0</span></dd>' in text  # a default of null is not shown
    assert "<dt><code>note</code></dt> <dd>string<br>Free text.</dd>" in text  # nor is an empty one
    assert 'Created. <a href="#schema-Created">Created</a> <small>with Location</small></li>' in text
    assert "<code>400</code> Refused.</li>" in text
    assert text.index('id="schema-also"') < text.index('id="schema-Created"')
