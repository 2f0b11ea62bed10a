"""Routes about the API itself: health, the authenticated identity, the OpenAPI document and its page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, Response, render_template
from pydantic import Field

from detector.schema.analysis import Value
from detector.version import __version__
from webapp import context
from webapp.accounts.permissions import Permission, current
from webapp.rest import openapi
from webapp.rest.operation import Answer, operation

JsonSchema = Mapping[str, Any]

_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "minLength": "characters, at least",
    "maxLength": "characters, at most",
    "default": "default",
}


@dataclass(frozen=True)
class Limit:
    """What a value must keep to, such as *at most* 200."""

    words: str
    value: Any


@dataclass(frozen=True)
class DocumentedField:
    """A parameter of an operation, or a field of a body or schema."""

    name: str
    place: str  # path, query or header; empty: in a body
    required: bool
    description: str
    schema: JsonSchema

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All but the pattern; null and the empty text are no defaults to tell."""
        stated = ((words, self.schema.get(name)) for name, words in _LIMITS.items())
        return tuple(Limit(words, value) for words, value in stated if value is not None and value != "")


@dataclass(frozen=True)
class DocumentedContent:
    """A body of one kind of media, its schema if it has one, and the fields of a schema without a name."""

    media: str
    schema: JsonSchema | None
    fields: tuple[DocumentedField, ...] = ()


@dataclass(frozen=True)
class DocumentedResponse:
    """What an operation may answer; errors have one body, which is not repeated for each."""

    status: str
    description: str
    contents: tuple[DocumentedContent, ...]
    headers: tuple[str, ...]


@dataclass(frozen=True)
class DocumentedOperation:
    """One method at one address as shown; :mod:`webapp.rest.operation` is what declares it."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    scope: str  # what a token must have; empty: none is needed, ever
    fields: tuple[DocumentedField, ...]
    bodies: tuple[DocumentedContent, ...]
    responses: tuple[DocumentedResponse, ...]


@dataclass(frozen=True)
class Area:
    """Operations that belong together."""

    name: str
    description: str
    operations: tuple[DocumentedOperation, ...]


@dataclass(frozen=True)
class NamedSchema:
    """JSON that several operations take or give."""

    name: str
    description: str
    schema: JsonSchema
    fields: tuple[DocumentedField, ...]


@dataclass(frozen=True)
class DocsPage:
    """All of the page."""

    version: str  # of OpenAPI
    description: str
    areas: tuple[Area, ...]
    schemas: tuple[NamedSchema, ...]


def docs_page(document: Mapping[str, Any]) -> DocsPage:
    """The page of an OpenAPI document, as :func:`webapp.rest.openapi.document` makes it."""
    operations = [
        (said["tags"], _operation(method, path, said))
        for path, methods in document["paths"].items()
        for method, said in methods.items()
    ]
    areas = (
        Area(
            tag["name"],
            tag["description"],
            tuple(operation for tags, operation in operations if tag["name"] in tags),
        )
        for tag in document["tags"]
    )
    schemas = sorted(document["components"]["schemas"].items(), key=lambda each: each[0].lower())
    return DocsPage(
        document["openapi"],
        document["info"]["description"],
        tuple(areas),
        tuple(
            NamedSchema(name, schema.get("description", ""), schema, tuple(_properties(schema)))
            for name, schema in schemas
        ),
    )


def _operation(method: str, path: str, said: Mapping[str, Any]) -> DocumentedOperation:
    scopes = [scope for each in said["security"] for scope in each.get("token", ())]
    return DocumentedOperation(
        said["operationId"],
        method.upper(),
        path,
        said["summary"],
        said.get("description", ""),
        next(iter(scopes), ""),
        tuple(_parameters(said["parameters"])),
        tuple(_contents(said.get("requestBody", {}))),
        tuple(_response(status, answer) for status, answer in said["responses"].items()),
    )


def _parameters(said: Iterable[Mapping[str, Any]]) -> Iterator[DocumentedField]:
    for each in said:
        yield DocumentedField(
            each["name"], each["in"], each["required"], each.get("description", ""), each.get("schema", {})
        )


def _properties(schema: JsonSchema) -> Iterator[DocumentedField]:
    for name, of in schema.get("properties", {}).items():
        yield DocumentedField(name, "", name in schema.get("required", ()), of.get("description", ""), of)


def _contents(said: Mapping[str, Any]) -> Iterator[DocumentedContent]:
    for media, content in said.get("content", {}).items():
        schema = content.get("schema")
        yield DocumentedContent(media, schema, tuple(_properties(schema or {})))


def _response(status: str, said: Mapping[str, Any]) -> DocumentedResponse:
    if status >= "400":
        return DocumentedResponse(status, said["description"], (), ())
    return DocumentedResponse(
        status, said["description"], tuple(_contents(said)), tuple(said.get("headers", ()))
    )


class Health(Value):
    """The API answers."""

    status: Literal["ok"]
    version: str


class Me(Value):
    """Whom the API takes you for."""

    name: str
    scopes: tuple[str, ...] = Field(description="what you may do")


blueprint = Blueprint("api_about", __name__)


@operation(blueprint, "GET", "/health", permission=None, answers={200: Answer("It answers.", Health)})
def health() -> Health:
    """Whether the API answers; whether it can work is told by /readyz."""
    return Health(status="ok", version=__version__)


@operation(
    blueprint,
    "GET",
    "/me",
    permission=Permission.READ,
    answers={200: Answer("You.", Me, headers=("ETag",))},
)
def me() -> Me:
    """Whom the API takes you for, and what you may do."""
    who = current()
    return Me(name=who.name, scopes=tuple(str(each) for each in Permission if who.may(each)))


@operation(
    blueprint,
    "GET",
    "/openapi.json",
    permission=None,
    answers={200: Answer("The document.", media=("application/json",), headers=("ETag",))},
)
def document() -> Response:
    """This API, as OpenAPI 3.1."""
    login = context.settings().login
    text = json.dumps(openapi.document(login=login), ensure_ascii=False)
    return Response(text + "\n", content_type="application/json")


@operation(
    blueprint,
    "GET",
    "/docs",
    permission=None,
    answers={200: Answer("The page.", media=("text/html",))},
)
def docs() -> str:
    """The same for people to read."""
    page = docs_page(openapi.document(login=context.settings().login))
    return render_template("pages/api.html", page=page)
