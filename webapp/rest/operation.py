"""Declare an operation of the API: its request, its responses, and the view that performs it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import PreconditionFailed
from werkzeug.wrappers import Response as Answered

from webapp import context
from webapp.accounts.permissions import Permission, public, require
from webapp.errors import UserError
from webapp.http.error_responses import FieldProblem, FieldsError
from webapp.http.uploads import Incoming, UploadLimit, current_request
from webapp.rest import idempotency
from webapp.rest.idempotency import small_body
from webapp.settings import Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


PREFIX = "/api/v1"
JSON = "application/json"

ViewFunction = Callable[..., Any]


@dataclass(frozen=True)
class Answer:
    """One way an operation answers: a model as JSON, or files of these media types, or nothing."""

    description: str
    model: type[BaseModel] | None = None
    media: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """A multipart form: its text fields as a model, and the one file it brings."""

    fields: type[BaseModel]
    file: str
    limit: Callable[[Settings], UploadLimit]


@dataclass(frozen=True)
class Bytes:
    """A body of bytes that is no form."""

    media: str


@dataclass(frozen=True)
class Operation:
    """What ``openapi.json`` says of one operation; ``permission`` is none where anybody may use it."""

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
    keyed: bool = False  # an Idempotency-Key is kept, with the answer

    @property
    def name(self) -> str:
        """By which programs made from ``openapi.json`` call it."""
        return f"{self.area}_{self.view.__name__}"

    @property
    def summary(self) -> str:
        """The first line of the view's docstring."""
        return (self.view.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        """The rest of it, in one line."""
        return " ".join((self.view.__doc__ or "").strip().partition("\n")[2].split())


OPERATIONS: list[Operation] = []


def operation(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    permission: Permission | None,
    answers: Mapping[int, Answer],
    errors: tuple[int, ...] = (),
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | Form | Bytes | None = None,
    headers: tuple[str, ...] = (),
    keyed: bool = False,
    secret: Callable[[str], str] | None = None,
) -> Callable[[ViewFunction], ViewFunction]:
    """Make a view an operation. It is called with the path's fields and, if declared, ``query`` and ``body``.

    It returns a model, or a pair of a model and a status, or a response. Its docstring becomes the
    description, the first line the summary. ``secret`` derives the one in the answer, which is not kept.
    """

    def declare(view: ViewFunction) -> ViewFunction:
        declared = Operation(
            method=method,
            path=path,
            area=blueprint.name.removeprefix("api_"),
            view=view,
            permission=permission,
            answers=answers,
            errors=errors,
            query=query,
            body=body,
            headers=headers,
            keyed=keyed,
        )
        OPERATIONS.append(declared)
        takes_files = isinstance(body, Form)
        need = public if permission is None else require(permission, takes_files=takes_files)
        blueprint.add_url_rule(path, view.__name__, need(_answering(declared, secret)), methods=[method])
        return view

    return declare


def _answering(declared: Operation, secret: Callable[[str], str] | None) -> ViewFunction:
    """The view as Flask calls it: given the path's fields alone, it answers with a response."""
    view = declared.view

    @functools.wraps(view)
    def answer(**path_fields: Any) -> Answered:
        arguments = path_fields | _request_arguments(declared)
        if declared.keyed:
            return idempotency.once(lambda: _response(view(**arguments)), secret)
        return _response(view(**arguments))

    return answer


def _request_arguments(declared: Operation) -> dict[str, Any]:
    """What the request brings beside its address, checked."""
    found: dict[str, Any] = {}
    query = _query(declared.query)
    if query is not None:
        found["query"] = query
    match declared.body:
        case None | Bytes():
            pass
        case Form():
            found["body"] = _form(declared.body)
        case model:
            found["body"] = _json(model)
    return found


def _query(model: type[BaseModel] | None) -> BaseModel | None:
    """What an address asks for; raises :class:`FieldsError` for what it cannot. None: it asks for nothing."""
    values: dict[str, str] = {}
    for name, given in request.args.lists():
        if len(given) > 1:
            raise FieldsError((_doubled(f"query.{name}"),))
        values[name] = given[0]
    if model is None:
        if values:
            raise FieldsError(
                tuple(
                    FieldProblem(where=f"query.{name}", problem="There is no such parameter.")
                    for name in values
                )
            )
        return None
    return checked(lambda: model.model_validate(values), "query")


def _doubled(where: str) -> FieldProblem:
    return FieldProblem(where=where, problem="It is given more than once.")


def _json(model: type[BaseModel]) -> BaseModel:
    """The JSON of a body; raises :class:`UserError` for another kind of body, and as :func:`checked` does."""
    if request.mimetype != JSON:  # no form of another site can send this type
        raise UserError(415, "This operation takes JSON.", f"Set Content-Type to {JSON}.")
    data = small_body()
    return checked(lambda: model.model_validate_json(data, strict=True), "body")


def _form(form: Form) -> BaseModel:
    """The text fields of a multipart form, which is read here, its file (:func:`uploaded`) with it.

    Raises :class:`FieldsError` for fields that cannot be used or come twice, and for files too many.
    """
    if request.mimetype != "multipart/form-data":
        raise UserError(
            415, "This operation takes a form with a file.", "Send multipart/form-data, as curl --form does."
        )
    asked = current_request()
    asked.upload_limit = form.limit(context.settings())
    stray = [name for name in asked.files if name != form.file]
    fields = list(asked.form.lists())
    if doubled := [name for name, given in fields if len(given) > 1]:
        raise FieldsError(tuple(_doubled(f"form.{name}") for name in doubled))
    values = {name: given[0] for name, given in fields}
    if form.file in values and form.file not in asked.files:
        values.pop(form.file)
        stray.append(form.file)
    if stray:
        raise FieldsError(
            tuple(
                FieldProblem(where=f"form.{name}", problem=f"The form brings one file, as “{form.file}”.")
                for name in stray
            )
        )
    return checked(lambda: form.fields.model_validate(values), "form")


def uploaded(name: str) -> tuple[Incoming, str | None]:
    """The file a form brought, complete on the disk, and what its sender calls it."""
    part = current_request().files.get(name)
    if part is None or not isinstance(stream := part.stream, Incoming):
        raise FieldsError((FieldProblem(where=f"form.{name}", problem="No file came with the form."),))
    stream.complete()  # flushing a large file takes a while, in which others want to write
    return stream, part.filename


def checked(read: Callable[[], BaseModel], where: str) -> BaseModel:
    """What ``read`` makes of a part of the request; raises an answer that names each field at fault."""
    try:
        return read()
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid" and not found[0]["loc"]:
            raise UserError(400, "The body is no JSON.", "Send one JSON object in UTF-8.") from None
        raise FieldsError(
            tuple(
                FieldProblem(where=".".join((where, *map(str, each["loc"]))), problem=_sentence(each["msg"]))
                for each in _innermost(found)[:20]
            )
        ) from None


def _innermost(found: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Without what is said of a list only because the values in it are wrong, as that it has too few."""
    places = [each["loc"] for each in found]
    return [each for each in found if not any(other[:-1] == each["loc"] for other in places if other)]


def _sentence(told: str) -> str:
    """What pydantic says, as a sentence; of a validator of ours without what kind of error it raised."""
    words = told.removeprefix("Value error, ")
    return f"{words[:1].upper()}{words[1:]}."


def _response(answered: Any) -> Answered:
    """What a view returned, as a response; that of a GET or HEAD answers If-None-Match."""
    status = 200
    if isinstance(answered, tuple):
        answered, status = answered
    if isinstance(answered, BaseModel):
        text = answered.model_dump_json(by_alias=True, exclude_unset=True)
        answered = Response(text + "\n", status=status, content_type=JSON)
    elif isinstance(answered, str):
        answered = Response(answered, status=status, content_type="text/html; charset=utf-8")
    elif answered is None:
        answered = Response(status=204)
        del answered.headers["Content-Type"]
    if request.method in ("GET", "HEAD") and answered.status_code == 200 and not answered.direct_passthrough:
        if answered.get_etag()[0] is None:
            answered.add_etag()
        answered.make_conditional(request)
        if answered.status_code == 412:
            raise PreconditionFailed  # as a problem document: the response would still hold the whole content
    return answered
