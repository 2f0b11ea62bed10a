"""``openapi.json`` (OpenAPI 3.1), generated from the declared operations and the messages of webhooks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from detector.version import __version__
from webapp.accounts.permissions import Permission
from webapp.http.error_responses import MEDIA_TYPE, ProblemDetails, problem_title
from webapp.rest.idempotency import HEADER, REPLAYED
from webapp.rest.operation import JSON, OPERATIONS, PREFIX, Answer, Bytes, Form, Operation
from webapp.rest.schemas import MAX_METADATA_LENGTH, METADATA
from webapp.rest.webhook_messages import MESSAGES, describe

_REF = "#/components/schemas/{model}"
# Schemas whose classes had other names when the document was first published, so that names in generated code
# stay the same.
_PUBLISHED_NAMES = {
    "AvailableModel": "webapp__api__contract__schemas__Model",
    "Gap": "detector__schema__metadata__Gap",
    "Model": "detector__schema__model__Model",
    "ProblemDetails": "Problem",
    "ScorePage": "Scores",
    "UnmatchedInterval": "detector__schema__comparison__Gap",
}
_INTRODUCTION = """What the pages do, for programs: upload files, follow their analyses, fetch what \
was found, record annotations. docs/api.md has examples. Every error is a problem of RFC 9457 that says \
what to do. A POST may carry an Idempotency-Key."""
_AREAS = {
    "analyses": "Upload a file, follow its analysis, cancel, retry, pause, delete.",
    "uploads": "Send a file in parts, by the tus 1.0 protocol.",
    "findings": "What an analysis found.",
    "desk": "What the review desk draws.",
    "heatmaps": "Heatmaps of all sampled frames of a segment, on request.",
    "annotations": "What reviewers say of it.",
    "files": "Reports, bundles, exports.",
    "exhibits": "The uploaded files.",
    "copies": "Other exhibits that show the same, or a part of it.",
    "comparisons": "An exhibit against a reference, frame by frame.",
    "custody": "Who did what to an exhibit, and when.",
    "reviews": "Two people judge an exhibit, each alone; the second does so blind.",
    "models": "The models that can be chosen.",
    "webhooks": "Messages about analyses and comparisons that ended.",
    "about": "The API itself.",
}
_ERRORS = {
    400: "The request is invalid; the problem says why.",
    401: "No token came, or one that does not work.",
    403: "Token, role or case do not allow it, or the request came from another web site.",
    404: "It does not exist, or you may not see it.",
    409: "It conflicts with the current state.",
    410: "It was deleted; the problem says when.",
    412: "Another version of the protocol was requested.",
    413: "It is too large.",
    415: "It is of another type.",
    422: "Fields are invalid; the problem names each.",
    423: "Another request is busy with it.",
    429: "There were too many requests, or there are too many of these.",
    460: "It arrived damaged.",
    500: "Something went wrong inside Reelproof; its log has the details.",
    503: "The database cannot be reached, or the work takes longer than you can be kept waiting; try again.",
    507: "The disk has no room.",
}
_PATH_FIELDS = {
    "analysis_id": ("The analysis.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    "comparison_id": ("The comparison.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    "picture_name": (
        "Its name in comparison.json, without the folder.",
        {"type": "string", "pattern": "^[A-Za-z0-9-]{1,80}[.]png$"},
    ),
    "segment": ("The segment.", {"type": "string", "pattern": "^[A-Z]+[0-9]+$"}),
    "heatmap_name": ("A file name of the list.", {"type": "string", "pattern": "^[0-9]{3}[.](jpg|png)$"}),
    "case_id": ("The case.", {"type": "string", "pattern": "^[0-9]{1,9}$"}),
    "upload_id": ("The upload.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    "webhook_id": ("The webhook.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    "sha256": ("SHA-256 of the exhibit.", {"type": "string", "pattern": "^[0-9a-f]{64}$"}),
    "export_name": ("The format.", {"type": "string", "pattern": "^[a-z-]{1,40}$"}),
}
# Description, schema, and whether the header is required.
_REQUEST_HEADERS: dict[str, tuple[str, dict[str, Any], bool]] = {
    HEADER: (
        "A request repeated with the same key within a day gets the same answer and has no further effect.",
        {"type": "string", "pattern": "^[!-~]{1,128}$"},
        False,
    ),
    "Tus-Resumable": ("The protocol.", {"type": "string", "const": "1.0.0"}, True),
    "Upload-Length": ("Bytes of the file.", {"type": "string", "pattern": "^[0-9]{1,18}$"}, True),
    "Upload-Offset": ("Where the part starts.", {"type": "string", "pattern": "^[0-9]{1,18}$"}, True),
    "Upload-Metadata": (
        "Names and values in base64.",
        {"type": "string", "pattern": METADATA, "maxLength": MAX_METADATA_LENGTH},
        False,
    ),
    "Upload-Checksum": (
        "Algorithm and digest in base64.",
        {"type": "string", "pattern": "^sha256 [A-Za-z0-9+/]{43}=$|^sha1 [A-Za-z0-9+/]{27}=$"},
        False,
    ),
}
_RESPONSE_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Location": ("Its address.", {"type": "string"}),
    "Link": ("Address of the rest (RFC 8288).", {"type": "string"}),
    "ETag": ("Sent as If-None-Match, it is answered with 304 while nothing has changed.", {"type": "string"}),
    "Tus-Resumable": ("The protocol.", {"type": "string", "const": "1.0.0"}),
    "Upload-Offset": ("Bytes received.", {"type": "integer"}),
    "Upload-Length": ("Bytes of the file.", {"type": "integer"}),
    "Upload-Metadata": ("The part that is stored: filename and sha256.", {"type": "string"}),
    "Upload-Expires": ("When the received parts are deleted.", {"type": "string"}),
    REPLAYED: ("true: this is the answer to an earlier request with the same key.", {"type": "string"}),
}
_RETRY_AFTER = {
    "description": "Seconds after which to try again; left out where waiting alone does not help.",
    "schema": {"type": "integer"},
    "required": False,
}
_OPTIONAL_HEADERS = frozenset({"Link", REPLAYED, "Upload-Metadata"})


@lru_cache(maxsize=2)
def document(*, login: bool) -> dict[str, Any]:
    """Return the document, with its paths ordered by area; with ``login`` a token is required."""
    schemas, refs = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    areas = list(_AREAS)
    # Independent of the order of imports.
    for operation in sorted(OPERATIONS, key=lambda operation: areas.index(operation.area)):
        address = PREFIX + re.sub(r"<(\w+)>", r"{\1}", operation.path)
        paths.setdefault(address, {})[operation.method.lower()] = _operation(operation, refs, login)
    used = {operation.area for operation in OPERATIONS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Reelproof",
            "version": "1",
            "summary": "Finds manipulated faces in videos and photos",
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "x-software-version": __version__,
        },
        "servers": [{"url": "/", "description": "This machine"}],
        "tags": [{"name": name, "description": text} for name, text in _AREAS.items() if name in used],
        "paths": paths,
        "webhooks": {
            message.operation: describe(message, refs[message, "validation"]) for message in MESSAGES
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the account page or of `python -m webapp add-token`. Scopes: "
                    + ", ".join(Permission),
                }
            },
        },
    }


_Refs = Mapping[tuple[type[BaseModel], JsonSchemaMode], dict[str, Any]]


def _schemas() -> tuple[dict[str, Any], _Refs]:
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemDetails, "serialization"): None}
    # By validation: optional fields of a message may be absent.
    models |= dict.fromkeys((message, "validation") for message in MESSAGES)
    for operation in OPERATIONS:
        for model in (operation.query, operation.body):
            if isinstance(model, Form):
                models[model.fields, "validation"] = None
            elif isinstance(model, type):
                models[model, "validation"] = None
        for answer in operation.answers.values():
            if answer.model is not None:
                models[answer.model, "serialization"] = None
    refs, definitions = models_json_schema(list(models), by_alias=True, ref_template=_REF)
    schemas = {}
    for name, schema in definitions["$defs"].items():
        published = _PUBLISHED_NAMES.get(name, name)
        title = {} if published == name else {"title": published.rpartition("__")[2]}
        schemas[published] = _published(schema) | title
    return schemas, {key: _published(ref) for key, ref in refs.items()}  # type: ignore[misc]


def _published(schema: Any) -> Any:
    """Replace names in references by the published ones."""
    if isinstance(schema, list):
        return [_published(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(ref := schema.get("$ref"), str):
        name = ref.rpartition("/")[2]
        return schema | {"$ref": _REF.format(model=_PUBLISHED_NAMES.get(name, name))}
    return {key: _published(value) for key, value in schema.items()}


def _operation(operation: Operation, refs: _Refs, login: bool) -> dict[str, Any]:
    token = {"token": [str(operation.permission)]}
    responses: dict[str, Any] = {}
    content: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.area],
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": responses,
        "security": [] if operation.permission is None else [token] if login else [{}, token],
    }
    if operation.description:
        content["description"] = operation.description
    if (body := _body(operation, refs)) is not None:
        content["requestBody"] = body
    for status, answer in operation.answers.items():
        responses[str(status)] = _answer(answer, refs, operation.keyed)
        if status == 200 and "ETag" in answer.headers:
            responses["304"] = {"description": "Nothing changed since the ETag that was sent."}
    errors = {422, *operation.errors, *((409, 413) if operation.keyed else ())}
    errors.update((400, 500, 503) if operation.permission is None else (400, 401, 403, 429, 500, 503, 507))
    if "<analysis_id>" in operation.path or "<comparison_id>" in operation.path:
        errors.add(410)  # the custody log has an entry about each deletion
    for status in sorted(errors):
        responses[str(status)] = {
            "description": f"{problem_title(status)}. {_ERRORS[status]}",
            "content": {MEDIA_TYPE: {"schema": refs[ProblemDetails, "serialization"]}},
        }
        if status in (429, 503):
            responses[str(status)]["headers"] = {"Retry-After": _RETRY_AFTER}
    return content


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    path = [
        _parameter(name, "path", True, *_PATH_FIELDS[name]) for name in re.findall(r"<(\w+)>", operation.path)
    ]
    headers = [
        _parameter(name, "header", required, description, schema)
        for name in (*operation.headers, *((HEADER,) if operation.keyed else ()))
        for description, schema, required in [_REQUEST_HEADERS[name]]
    ]
    return [*path, *_query_fields(operation.query), *headers]


def _parameter(
    name: str, place: str, required: bool, description: str, schema: dict[str, Any]
) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema}


def _query_fields(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(by_alias=True, ref_template=_REF)
    parameters = []
    for name, field in schema["properties"].items():
        field = dict(field)
        field.pop("title", None)
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ())}
        if "description" in field:
            parameter["description"] = field.pop("description")
        # An address has no null.
        kinds = [kind for kind in field.pop("anyOf", ()) if kind.get("type") != "null"]
        if kinds:
            field.pop("default", None)
            field = kinds[0] | field
        parameters.append(parameter | {"schema": field})
    return parameters


def _body(operation: Operation, refs: _Refs) -> dict[str, Any] | None:
    match operation.body:
        case None:
            return None
        case Bytes(media):
            return {"required": True, "content": {media: {"schema": {"type": "string", "format": "binary"}}}}
        case Form(fields, file, _):
            schema = fields.model_json_schema(by_alias=True, ref_template=_REF)
            properties = {
                name: {"type": "string"} | {key: field[key] for key in ("description",) if key in field}
                for name, field in schema.get("properties", {}).items()
            }
            form = {
                "type": "object",
                "properties": {file: {"type": "string", "format": "binary"}} | properties,
                "required": [file],
                "additionalProperties": False,
            }
            return {"required": True, "content": {"multipart/form-data": {"schema": form}}}
        case model:
            return {"required": True, "content": {JSON: {"schema": refs[model, "validation"]}}}


def _answer(answer: Answer, refs: _Refs, keyed: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"description": answer.description}
    if answer.model is not None:
        content["content"] = {JSON: {"schema": refs[answer.model, "serialization"]}}
    elif answer.media:
        content["content"] = {media: {} for media in answer.media}
    headers = (*answer.headers, *((REPLAYED,) if keyed else ()))
    if headers:
        content["headers"] = {
            name: {
                "description": _RESPONSE_HEADERS[name][0],
                "schema": _RESPONSE_HEADERS[name][1],
                "required": name not in _OPTIONAL_HEADERS,
            }
            for name in headers
        }
    return content
