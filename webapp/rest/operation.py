"""Declare an operation of the API: its request, its responses, and the view that performs it.

The decorator of a view is the only place that states this. Flask's route, the validation of the request and
``openapi.json`` are all derived from it, so they cannot differ. Libraries were considered: APIFlask and
flask-smorest add marshmallow as a second kind of model; SpecTree and flask-openapi3 document JSON responses
only and report a wrong content type or broken JSON as a failed validation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import PreconditionFailed
from werkzeug.wrappers import Response as WerkzeugResponse

from webapp import context
from webapp.accounts.permissions import Permission, public, require
from webapp.errors import UserError
from webapp.http.error_responses import FieldProblem, FieldsError
from webapp.http.uploads import Incoming, UploadLimit, current_request
from webapp.rest.idempotency import run_once, small_body
from webapp.settings import Settings

PREFIX = "/api/v1"
JSON = "application/json"

ViewFunction = Callable[..., Any]


@dataclass(frozen=True)
class Answer:
    """One response of an operation: a model as JSON, files of these media types, or no content."""

    description: str
    model: type[BaseModel] | None = None
    media: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """A multipart form: the model of its text fields, and the name of its one file."""

    fields: type[BaseModel]
    file: str
    limit: Callable[[Settings], UploadLimit]


@dataclass(frozen=True)
class Bytes:
    """A body of raw bytes."""

    media: str


@dataclass(frozen=True)
class Operation:
    """The declaration of an operation; ``permission`` is None for an operation open to everybody."""

    method: str
    path: str  # Flask's rule below the prefix
    area: str
    view: ViewFunction
    permission: Permission | None
    answers: Mapping[int, Answer]
    errors: tuple[int, ...]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | Form | Bytes | None = None
    headers: tuple[str, ...] = ()
    keyed: bool = False  # an Idempotency-Key is stored, with the response

    @property
    def name(self) -> str:
        """The operation id, which generated clients use as a name."""
        return f"{self.area}_{self.view.__name__}"

    @property
    def summary(self) -> str:
        """The first line of the view's docstring."""
        return (self.view.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        """The rest of the docstring in one line."""
        return " ".join((self.view.__doc__ or "").strip().partition("\n")[2].split())


OPERATIONS: list[Operation] = []


def operation(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    permission: Permission | None,
    secret: Callable[[str], str] | None = None,
    errors: tuple[int, ...] = (),
    **declaration: Any,
) -> Callable[[ViewFunction], ViewFunction]:
    """Make a view an operation, called with the path's fields and, if declared, ``query`` and ``body``.

    The view returns a model, a pair of a model and a status, or a response. ``declaration`` are the other
    fields of :class:`Operation`. ``secret`` derives the secret of the response, which is not stored.
    """

    def declare(view: ViewFunction) -> ViewFunction:
        declared = Operation(
            method,
            path,
            blueprint.name.removeprefix("api_"),
            view,
            permission,
            errors=errors,
            **declaration,
        )
        OPERATIONS.append(declared)

        @functools.wraps(view)
        def respond(**path_fields: Any) -> WerkzeugResponse:
            arguments = path_fields | _request_arguments(declared)
            if declared.keyed:
                return run_once(lambda: _response(view(**arguments)), secret)
            return _response(view(**arguments))

        takes_files = isinstance(declared.body, Form)
        mark = public if permission is None else require(permission, takes_files=takes_files)
        blueprint.add_url_rule(path, view.__name__, mark(respond), methods=[method])
        return view

    return declare


def _request_arguments(declared: Operation) -> dict[str, Any]:
    """Validate query and body."""
    arguments: dict[str, Any] = {}
    query = _query(declared.query)
    if query is not None:
        arguments["query"] = query
    match declared.body:
        case None | Bytes():
            pass
        case Form():
            arguments["body"] = _form(declared.body)
        case model:
            if request.mimetype != JSON:  # no form of another site can send this type
                raise UserError(415, "This operation takes JSON.", f"Set Content-Type to {JSON}.")
            data = small_body()
            arguments["body"] = checked(lambda: model.model_validate_json(data, strict=True), "body")
    return arguments


def _fields_error(where: str, names: Iterable[str], problem: str) -> FieldsError:
    return FieldsError(tuple(FieldProblem(where=f"{where}.{name}", problem=problem) for name in names))


def _query(model: type[BaseModel] | None) -> BaseModel | None:
    values: dict[str, str] = {}
    for name, texts in request.args.lists():
        if len(texts) > 1:
            raise _fields_error("query", [name], "It is given more than once.")
        values[name] = texts[0]
    if model is not None:
        return checked(lambda: model.model_validate(values), "query")
    if values:
        raise _fields_error("query", values, "There is no such parameter.")
    return None


def _form(form: Form) -> BaseModel:
    """Read a multipart form and validate its text fields; :func:`uploaded` returns its file."""
    if request.mimetype != "multipart/form-data":
        raise UserError(
            415, "This operation takes a form with a file.", "Send multipart/form-data, as curl --form does."
        )
    upload = current_request()
    upload.upload_limit = form.limit(context.settings())
    stray = [name for name in upload.files if name != form.file]
    fields = list(upload.form.lists())
    if repeated := [name for name, texts in fields if len(texts) > 1]:
        raise _fields_error("form", repeated, "It is given more than once.")
    values = {name: texts[0] for name, texts in fields}
    if form.file in values and form.file not in upload.files:
        values.pop(form.file)
        stray.append(form.file)
    if stray:
        raise _fields_error("form", stray, f"The form brings one file, as “{form.file}”.")
    return checked(lambda: form.fields.model_validate(values), "form")


def uploaded(name: str) -> tuple[Incoming, str | None]:
    """Return the form's file, complete on the disk, and its name on the sender's machine."""
    part = current_request().files.get(name)
    if part is None or not isinstance(stream := part.stream, Incoming):
        raise _fields_error("form", [name], "No file came with the form.")
    stream.complete()  # before a transaction: flushing a large file takes a while, and others want to write
    return stream, part.filename


def checked(read: Callable[[], BaseModel], where: str) -> BaseModel:
    """Call ``read``, which validates a part of the request; raise an error that names each invalid field."""
    try:
        return read()
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        if details[0]["type"] == "json_invalid" and not details[0]["loc"]:
            raise UserError(400, "The body is not JSON.", "Send one JSON object in UTF-8.") from None
        # Leave out errors of a list that follow from errors in its items, such as too few valid items.
        parents = {detail["loc"][:-1] for detail in details if detail["loc"]}
        problems = []
        for detail in [detail for detail in details if detail["loc"] not in parents][:20]:
            text = detail["msg"].removeprefix("Value error, ")  # of our own validators
            location = ".".join((where, *map(str, detail["loc"])))
            problems.append(FieldProblem(where=location, problem=f"{text[:1].upper()}{text[1:]}."))
        raise FieldsError(tuple(problems)) from None


def _response(result: Any) -> WerkzeugResponse:
    """Convert a view's return value; a response to GET or HEAD supports If-None-Match."""
    status = 200
    if isinstance(result, tuple):
        result, status = result
    if isinstance(result, BaseModel):
        text = result.model_dump_json(by_alias=True, exclude_unset=True)
        response: WerkzeugResponse = Response(text + "\n", status=status, content_type=JSON)
    elif isinstance(result, str):
        response = Response(result, status=status, content_type="text/html; charset=utf-8")
    elif result is None:
        response = Response(status=204)
        del response.headers["Content-Type"]
    else:
        response = result
    if request.method in ("GET", "HEAD") and response.status_code == 200 and not response.direct_passthrough:
        if response.get_etag()[0] is None:
            response.add_etag()
        response.make_conditional(request)
        if response.status_code == 412:
            raise PreconditionFailed  # as problem details: the response still has the whole content
    return response
