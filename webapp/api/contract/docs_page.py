"""The page of the API: what the OpenAPI document says, in the order in which the page shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
class Content:
    """A body of one kind of media, its schema if it has one, and the fields of a schema without a name."""

    media: str
    schema: JsonSchema | None
    fields: tuple[DocumentedField, ...] = ()


@dataclass(frozen=True)
class Response:
    """What an operation may answer; errors have one body, which is not repeated for each."""

    status: str
    description: str
    contents: tuple[Content, ...]
    headers: tuple[str, ...]


@dataclass(frozen=True)
class DocumentedOperation:
    """One method at one address as shown; :mod:`webapp.api.contract.operation` is what declares it."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    scope: str  # what a token must have; empty: none is needed, ever
    fields: tuple[DocumentedField, ...]
    bodies: tuple[Content, ...]
    responses: tuple[Response, ...]


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
    """The page of an OpenAPI document, as :func:`webapp.api.contract.openapi.document` makes it."""
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


def _contents(said: Mapping[str, Any]) -> Iterator[Content]:
    for media, content in said.get("content", {}).items():
        schema = content.get("schema")
        yield Content(media, schema, tuple(_properties(schema or {})))


def _response(status: str, said: Mapping[str, Any]) -> Response:
    if status >= "400":
        return Response(status, said["description"], (), ())
    return Response(status, said["description"], tuple(_contents(said)), tuple(said.get("headers", ())))
